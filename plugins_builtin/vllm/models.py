"""The models listed at `/v1/models`, in the shapes of vLLM, SGLang, llama.cpp, LM Studio, Ollama, LiteLLM and Mistral."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentic import RequestRejected
from agentic.lib.patterns import late_pattern
from agentic.lib.wire import loads

MAX_WINDOW = 1 << 31  # tokens; a number beyond it is a mistake
_WINDOWS = (
    "max_model_len", "loaded_context_length", "context_length", "context_window", "max_context_length", "max_input_tokens",
    "max_context_tokens", "n_ctx", "max_sequence_length",
)  # fmt: skip
# By their names, where the list does not say what they are for.
_WORDS = (
    "tts|stt|asr|bge|e5|gte|clip|kokoro|minilm|colbert\\w*|splade|sdxl|sd3|dall|imagen|sora|veo|flux|parakeet|reranker?|guard"
    "|realtime|transcribe|image|encoder|sentence"
)
_OTHER_USES = late_pattern(
    rf"embed(?!ded)|rerank|whisper|speech|moderation|stable-diffusion|(^|[-_/.])({_WORDS})([-_/.:]|\d|$)", re.IGNORECASE
)
_CHATS = {
    "", "llm", "vlm", "chat", "model", "language", "text-generation", "base", "text", "generate", "completion", "chat-completion",
    "gguf", "conversational", "text-to-text", "image-text-to-text", "text2text-generation", "any-to-any", "vision", "multimodal",
    "code", "responses",
}  # fmt: skip
_PLACES = ("data", "models", "result", "items")
_IDS = ("id", "name", "model", "model_name")


def models_in(body: bytes) -> tuple[list[dict[str, Any]], bool]:
    """(the models of a list, bare or under `data` or `models`; whether there may be more). Raises ValueError for what is none."""
    value = loads(body)
    goes_on = isinstance(value, dict) and any(value.get(name) for name in ("has_more", "next", "next_page_token"))
    if isinstance(value, dict):
        value = next((value[name] for name in _PLACES if isinstance(value.get(name), list | dict)), None)
    if isinstance(value, dict):  # by their names
        value = [{**each, "id": name} for name, each in value.items() if isinstance(each, dict)]
    if not isinstance(value, list):
        raise ValueError("no list of models")
    found = [{"id": each} if isinstance(each, str) else each for each in value]
    known: list[dict[str, Any]] = [each | {"id": _id(each)} for each in found if isinstance(each, dict)]
    models = [each for each in known if each["id"]]
    return models, goes_on or not models or any("*" in each["id"] for each in models)


def _id(model: Mapping[str, Any]) -> str:
    return next((value for name in _IDS if (value := model.get(name)) and isinstance(value, str)), "")


def chosen(
    models: Sequence[dict[str, Any]], may_be_more: bool, named: str, endpoint: str, source: tuple[str, str] = ("", "")
) -> dict[str, Any]:
    """The named model, unknown too where there may be more than these; else the first that chats. Raises RequestRejected.

    `source` is (the key that names it, where that was set): what has to be changed where the server has no such model.
    """
    if named:
        if (model := _known_otherwise(named, models)) is not None:
            return model
        if may_be_more:
            return {"id": named}
        where, remedy = _mended(*source)
        raise RequestRejected(f"{endpoint} does not serve {named!r}{where}", f"it serves {_names(models)}: {remedy}", 404)
    able = [model for model in models if chats(model)] or [model for model in models if _may_chat(model)]
    if not able:
        raise RequestRejected(f"{endpoint} serves nothing that chats: it serves {_names(models)}", "name one with --model", 404)
    return able[0]


def _known_otherwise(named: str, models: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The model of that name; else the only one known by it in another way: in other letters, without its maker, by its files."""
    for model in models:
        if named in (model["id"], model["id"].removesuffix(":latest")):
            return model
    for model in models:
        aliases = model.get("aliases")
        if isinstance(aliases, list) and named in aliases:
            return model | {"id": named}  # as the server takes it
    wanted = named.casefold()
    alike = [model for model in models if wanted in (model["id"].casefold(), model["id"].casefold().rpartition("/")[2])]
    alike = alike or [model for model in models if named == model.get("root")]
    return alike[0] if len(alike) == 1 else None


def _mended(key: str, origin: str) -> tuple[str, str]:
    """(where the name was found, what to do about it)."""
    if origin == "command line":
        return ", which the command line names", "leave --model out, or name one"
    if origin == "environment":
        variable = f"AGENTIC_{key.upper().replace('.', '_')}"
        return f", which {variable} names", f"unset {variable}, or name one with --model"
    if origin.endswith(".toml"):
        user = "" if origin.endswith(("agentic.toml", "pyproject.toml")) else " --user"
        return f", which {key} in {origin} names", f"`agentic config unset{user} {key}`, or name one with --model"
    return "", "leave --model out, or name one"


def window_of(model: Mapping[str, Any]) -> int:
    """Tokens, 0 where the list does not say: the smallest that it names for the model as it is served."""
    served = [each for name in ("meta", "top_provider", "limits") if isinstance(each := model.get(name), dict)]
    values = [next((size for name in _WINDOWS if (size := _tokens(each.get(name)))), 0) for each in (model, *served)]
    return min((value for value in values if value), default=0)


def _tokens(value: object) -> int:
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_WINDOW:
        return 0
    return int(value)


def chats(model: Mapping[str, Any]) -> bool:
    """True if the list says so, or nothing else."""
    return _may_chat(model) and _use(model) in _CHATS


def _use(model: Mapping[str, Any]) -> str:
    use = next((value for name in ("type", "task", "mode") if (value := model.get(name))), "")
    use = use[0] if isinstance(use, list) else use
    return str(use).casefold().replace("_", "-")


def _may_chat(model: Mapping[str, Any]) -> bool:
    """No list says that it does something else."""
    can, made = model.get("capabilities"), model.get("architecture")
    if isinstance(can, dict) and can.get("completion_chat") is False:
        return False
    if isinstance(can, list) and can and not {"completion", "chat", "tools", "generate"} & set(map(str, can)):
        return False
    outputs = made.get("output_modalities") if isinstance(made, dict) else None
    if isinstance(outputs, list) and outputs and "text" not in outputs:
        return False
    use = _use(model)
    of_use = use not in _CHATS and (_OTHER_USES.search(use) or use in ("image", "audio", "video"))
    return "*" not in model["id"] and not of_use and not _OTHER_USES.search(model["id"])


def _names(models: Sequence[dict[str, Any]]) -> str:
    shown = ", ".join(str(model["id"]) for model in models[:5])
    return f"{shown}, and {len(models) - 5} more" if len(models) > 5 else shown or "nothing"
