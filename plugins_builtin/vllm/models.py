"""What a server lists at `/v1/models`, in the shapes of vLLM, SGLang, llama.cpp, LM Studio, Ollama, LiteLLM and Mistral."""

import re
from collections.abc import Sequence
from typing import Any

from agentic import RequestRejected
from agentic.wire import loads

MAX_WINDOW = 1 << 31  # tokens; a number beyond it is a mistake
_WINDOWS = ("max_model_len", "loaded_context_length", "context_length", "context_window", "max_context_length", "max_input_tokens")
# By their names, where the list does not say what they are for.
_OTHER_USES = r"embed|rerank|whisper|(^|[-_/])(tts|stt|bge|e5|gte)([-_/]|$)|speech|moderation|stable-diffusion|flux"
_CHATS = {"", "llm", "vlm", "chat", "model", "language", "text-generation", "base"}


def listed(body: bytes) -> tuple[list[dict[str, Any]], bool]:
    """(the models of a list, bare or under `data` or `models`; whether there may be more). Raises ValueError for what is none."""
    value = loads(body)
    goes_on = isinstance(value, dict) and any(value.get(name) for name in ("has_more", "next", "next_page_token"))
    if isinstance(value, dict):
        value = next((value[name] for name in ("data", "models") if isinstance(value.get(name), list)), None)
    if not isinstance(value, list):
        raise ValueError("no list of models")
    found = [{"id": each} if isinstance(each, str) else each for each in value]
    known: list[dict[str, Any]] = [each | {"id": each.get("id") or each.get("name")} for each in found if isinstance(each, dict)]
    models = [each for each in known if each["id"] and isinstance(each["id"], str)]
    return models, goes_on or not models or any("*" in each["id"] for each in models)


def chosen(
    models: Sequence[dict[str, Any]], may_be_more: bool, named: str, endpoint: str, source: tuple[str, str] = ("", "")
) -> dict[str, Any]:
    """The named model, unknown too where there may be more than these; else the first that chats. Raises RequestRejected.

    `source` is (the key that names it, where that was set): what has to be changed where the server has no such model.
    """
    if named:
        for model in models:
            if named in (model["id"], str(model["id"]).removesuffix(":latest")):
                return model
        if may_be_more:
            return {"id": named}
        where, remedy = _mended(*source)
        raise RequestRejected(f"{endpoint} does not serve {named!r}{where}", f"it serves {_names(models)}: {remedy}", 404)
    able = [model for model in models if chats(model)]
    if not able:
        raise RequestRejected(f"{endpoint} serves nothing that chats: it serves {_names(models)}", "name one with --model", 404)
    return able[0]


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


def window_of(model: dict[str, Any]) -> int:
    """Tokens, 0 where the list does not say."""
    meta = model.get("meta")
    values = [*(model.get(name) for name in _WINDOWS), meta.get("n_ctx") if isinstance(meta, dict) else None]
    return next((value for value in values if isinstance(value, int) and 0 < value <= MAX_WINDOW), 0)


def chats(model: dict[str, Any]) -> bool:
    can = model.get("capabilities")
    if isinstance(can, dict) and can.get("completion_chat") is False:
        return False
    use = str(model.get("type") or model.get("task") or "").casefold()
    return use in _CHATS and "*" not in model["id"] and not re.search(_OTHER_USES, model["id"], re.IGNORECASE)


def _names(models: Sequence[dict[str, Any]]) -> str:
    shown = ", ".join(str(model["id"]) for model in models[:5])
    return f"{shown}, and {len(models) - 5} more" if len(models) > 5 else shown or "nothing"
