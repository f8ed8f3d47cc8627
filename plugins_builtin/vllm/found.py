"""Which servers run here: vLLM, llama.cpp, Ollama and LM Studio, at their usual ports of this machine and of those you name."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from agentic import AgenticError, Settings
from agentic.hooks.transport import Found
from agentic.lib.wire import loads
from plugins_builtin.vllm.http import Http
from plugins_builtin.vllm.models import chats, models_in

_OWNERS = {"vllm": "vLLM", "llamacpp": "llama.cpp", "library": "Ollama", "organization_owner": "LM Studio"}
CONNECT_SECONDS, ANSWER_SECONDS = 0.3, 2.0
MAX_MODELS = 20  # of one server


async def find(settings: Settings) -> Sequence[Found]:
    """Returns each model of the servers that answer at the usual ports of the hosts in the settings, this machine unless named."""
    own = settings.section("llm.vllm")
    http = Http(lambda url: {}, CONNECT_SECONDS)
    try:
        found = await asyncio.gather(*(_at(http, host, port) for host in own.hosts for port in own.ports))
    finally:
        await http.aclose()
    return [each for server in found for each in server]


async def _at(http: Http, host: str, port: str) -> list[Found]:
    root = f"http://{host}:{port}"
    try:
        body = await _body(http, "GET", f"{root}/v1/models")
        models = [model for model in models_in(body)[0] if chats(model)][:MAX_MODELS]
        what = _OWNERS.get(str(models[0].get("owned_by")), "a server")
        windows = {model["id"]: await _window(http, root, what, model) for model in models}
    except (AgenticError, ValueError, KeyError, TypeError, IndexError):
        return []
    return [Found(what, f"{root}/v1", model, window) for model, window in windows.items()]


async def _window(http: Http, root: str, what: str, model: Mapping[str, Any]) -> int:
    """In tokens; each kind of server tells it in its own way, 0 where it does not."""
    try:
        async for value in _answers_of(http, root, what, model):
            if isinstance(value, int) and value > 0:
                return value
    except (AgenticError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return 0


async def _answers_of(http: Http, root: str, what: str, model: Mapping[str, Any]) -> AsyncIterator[Any]:
    yield model.get("max_model_len")
    if what == "llama.cpp":
        yield (await _json(http, "GET", f"{root}/props"))["default_generation_settings"]["n_ctx"]
    elif what == "Ollama":
        shown = await _json(http, "POST", f"{root}/api/show", {"model": model["id"]})
        yield next((value for name, value in shown["model_info"].items() if name.endswith(".context_length")), 0)
    elif what == "LM Studio":
        told = await _json(http, "GET", f"{root}/api/v0/models/{model['id']}")
        yield told.get("loaded_context_length") or told.get("max_context_length")


async def _json(http: Http, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
    return loads(await _body(http, method, url, body))


async def _body(http: Http, method: str, url: str, body: Mapping[str, Any] | None = None) -> bytes:
    response = await http.fetch(method, url, json.dumps(body).encode() if body else b"", ANSWER_SECONDS)
    if response.status != 200:
        raise AgenticError(f"{url}: {response.status}")
    return response.body
