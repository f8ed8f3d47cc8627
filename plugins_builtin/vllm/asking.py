"""Questions to a server beside the API: what it serves, and whatever else has a path."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from agentic import AgenticError, RequestRejected
from agentic.errors import Loading
from agentic.lib.wire import error_from_body, loads
from plugins_builtin.vllm.connection import Response
from plugins_builtin.vllm.http import Http

ASIDE_SECONDS = 2.0  # for what a request can do without: its exact length, the server's load
MAX_ERROR_BYTES = 64 * 1024
_KWARGS = "chat_template_kwargs"
LOADING_SECONDS = 1.0  # between two looks at a server that loads its model


class Asking:
    """Asks servers in whole requests."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._bases: dict[str, str] = {}

    async def fetch(
        self, method: str, endpoint: str, path: str, body: Mapping[str, Any] | None = None, seconds: float = 0
    ) -> Response:
        """The server's answer to a question beside the API (`path` from the server's root). Raises AgenticError."""
        url = endpoint.removesuffix("/v1") + path
        return await self._good(method, url, in_json(body) if body else b"", seconds or ASIDE_SECONDS)

    async def _good(self, method: str, url: str, body: bytes, seconds: float) -> Response:
        response = await self._http.fetch(method, url, body, seconds)
        if response.status != 200:
            raise error_from_body(response.status, response.body[:MAX_ERROR_BYTES])
        return response

    async def models(self, endpoint: str, seconds: float) -> Response:
        """`/models`, also where the URL lacks its `/v1`; a server that loads its model is waited for."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                return await self._good("GET", f"{self.base(endpoint)}/models", b"", seconds)
            except Loading:
                if asyncio.get_running_loop().time() + LOADING_SECONDS > end:
                    raise
                await asyncio.sleep(LOADING_SECONDS)
            except RequestRejected as error:
                if error.status != 404 or endpoint.endswith("/v1") or endpoint in self._bases:
                    raise
                found = await self._good("GET", f"{endpoint}/v1/models", b"", seconds)
                self._bases[endpoint] = f"{endpoint}/v1"
                return found

    async def count(self, endpoint: str, body: Mapping[str, Any], is_llama_cpp: bool) -> int:
        """The tokens of a request's prompt, as the server's template and vocabulary make them. Raises AgenticError."""
        body = _of_prompt(body)
        try:
            if is_llama_cpp:
                prompt = loads((await self.fetch("POST", endpoint, "/apply-template", body)).body)["prompt"]
                body = {"content": prompt, "parse_special": True, "add_special": True}
                return len(loads((await self.fetch("POST", endpoint, "/tokenize", body)).body)["tokens"])
            return int(loads((await self.fetch("POST", endpoint, "/tokenize", body)).body)["count"])
        except (ValueError, KeyError, TypeError) as error:
            raise AgenticError(f"{endpoint}: /tokenize gave no count") from error

    async def ids(self, endpoint: str, body: Mapping[str, Any]) -> list[int]:
        """The prompt that vLLM makes of a request, in tokens. Raises AgenticError."""
        try:
            return [int(each) for each in loads((await self.fetch("POST", endpoint, "/tokenize", _of_prompt(body))).body)["tokens"]]
        except (ValueError, KeyError, TypeError) as error:
            raise AgenticError(f"{endpoint}: /tokenize gave no tokens") from error

    async def prompt(self, endpoint: str, body: Mapping[str, Any]) -> str:
        """The same in text. Raises AgenticError."""
        asked = {"model": body["model"], "tokens": await self.ids(endpoint, body)}
        try:
            return str(loads((await self.fetch("POST", endpoint, "/detokenize", asked)).body)["prompt"])
        except (ValueError, KeyError, TypeError) as error:
            raise AgenticError(f"{endpoint}: no prompt is shown") from error

    async def properties(self, endpoint: str) -> tuple[str, int]:
        """(the chat template, the requests that there are slots for at once) of a llama.cpp, "" and 0 where it does not tell."""
        try:
            told = loads((await self.fetch("GET", endpoint, "/props")).body)
            template, slots = told.get("chat_template"), told.get("total_slots")
        except (AgenticError, ValueError, AttributeError):
            return "", 0
        return template if isinstance(template, str) else "", max(0, slots) if type(slots) is int else 0

    def base(self, endpoint: str) -> str:
        """Returns the URL that the API's paths are appended to."""
        return self._bases.get(endpoint, endpoint)


def _of_prompt(body: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a request's body that its prompt is made of."""
    part = {name: value for name, value in body.items() if name in ("model", "messages", "tools", _KWARGS)}
    if effort := body.get("reasoning_effort"):  # which the template sees, too
        part[_KWARGS] = {"enable_thinking": effort != "none", "reasoning_effort": effort, **part.get(_KWARGS, {})}
    return part


def in_json(value: Mapping[str, Any]) -> bytes:
    """The body of a request."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
