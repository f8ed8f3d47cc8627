"""Chat Completions over httpx2: one connection per request in flight, deadlines that count content only."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import httpx2

from agentic import AgenticError, ChatRequest, Delta, EndpointInfo, EndpointUnavailable, RequestRejected, StreamBroken, TokenCount
from agentic.wire import ChunkDecoder, SseParser, encode_request, error_from_body
from plugins_builtin.vllm import harmony
from plugins_builtin.vllm.tokenize import ConversationCounter

KEEPALIVE_SECONDS = 4.0  # vLLM closes idle connections after 5 s
COUNT_SECONDS = 2.0  # an estimate is better than a longer wait
MAX_ERROR_BYTES = 64 * 1024


class VllmTransport:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.endpoints = tuple(url.rstrip("/") for url in settings["llm.endpoints"])
        self._settings = settings
        self._known: dict[str, EndpointInfo] = {}
        self._gpt_oss: dict[str, bool] = {}
        self._counter = ConversationCounter(self._tokenize)
        key = settings["llm.api_key"]
        self._client = httpx2.AsyncClient(
            headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
            verify=self._tls(),
            trust_env=False,
            proxy=settings["llm.proxy"] or None,
            follow_redirects=settings["llm.follow_redirects"],
            timeout=httpx2.Timeout(None, connect=settings["llm.connect_timeout"], write=30.0),
            limits=httpx2.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
        )

    def _tls(self) -> ssl.SSLContext | bool:
        """Certificates are loaded (180 ms) only where an endpoint uses TLS."""
        urls = (*self.endpoints, self._settings["llm.proxy"])
        return any(url.startswith("https:") for url in urls) or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    async def probe(self, endpoint: str) -> EndpointInfo:
        if endpoint not in self._known:
            self._known[endpoint] = self._choose_model(endpoint, await self._models(endpoint))
        return self._known[endpoint]

    async def _models(self, endpoint: str) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(self._settings["llm.connect_timeout"]):
                response = await self._client.get(f"{endpoint}/models")
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise _unavailable(endpoint, error) from error
        if response.status_code != 200:
            raise error_from_body(response.status_code, response.content[:MAX_ERROR_BYTES])
        try:
            models = [model for model in response.json()["data"] if model["id"]]
        except (ValueError, KeyError, TypeError) as error:
            raise RequestRejected(
                f"{endpoint} lists no models", "is this an OpenAI-compatible server? (URL ends in /v1)"
            ) from error
        if not models:
            raise EndpointUnavailable(f"{endpoint} serves no model")
        return models

    def _choose_model(self, endpoint: str, models: list[dict[str, Any]]) -> EndpointInfo:
        wanted = self._settings["llm.model"] or models[0]["id"]
        for model in models:
            if model["id"] == wanted:
                window = model.get("max_model_len")
                self._gpt_oss[endpoint] = any(harmony.is_gpt_oss(str(model.get(name))) for name in ("id", "root"))
                return EndpointInfo(endpoint, wanted, window if isinstance(window, int) else 0)
        names = ", ".join(str(model["id"]) for model in models[:5])
        raise RequestRejected(f"{endpoint} does not serve {wanted!r}", f"it serves {names}: leave --model out, or name one", 404)

    async def count_tokens(self, request: ChatRequest, endpoint: str) -> TokenCount:
        await self.probe(endpoint)
        if self._gpt_oss[endpoint]:
            return TokenCount(harmony.count(request), "harmony")
        return TokenCount(await self._counter.count(request, endpoint), "/tokenize")

    async def _tokenize(self, request: ChatRequest, endpoint: str) -> int:
        info = await self.probe(endpoint)
        encoded = encode_request(request, info.model)
        body = {name: encoded[name] for name in ("model", "messages", "tools") if name in encoded}
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                response = await self._client.post(f"{endpoint.removesuffix('/v1')}/tokenize", json=body)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise _unavailable(endpoint, error) from error
        if response.status_code != 200:
            raise error_from_body(response.status_code, response.content[:MAX_ERROR_BYTES])
        try:
            return int(response.json()["count"])
        except (ValueError, KeyError, TypeError) as error:
            raise AgenticError(f"{endpoint}: /tokenize gave no count") from error

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        info = await self.probe(endpoint)
        body = json.dumps(encode_request(request, info.model), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if request.session:
            headers["X-Session-ID"] = request.session
        clock = asyncio.get_running_loop().time
        end = clock() + self._settings["llm.total_timeout"]
        deadline = min(end, clock() + self._settings["llm.first_token_timeout"])
        waiting_for = "the first token"
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._send(f"{endpoint}/chat/completions", body, headers)
            async with aclosing(response):
                await _require_stream(response, endpoint)
                parser, decoder = SseParser(), ChunkDecoder()
                chunks = response.aiter_raw()
                while True:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, b"")
                    if not chunk:
                        break
                    for data in parser.feed(chunk):
                        if data == b"[DONE]":
                            decoder.end()
                            return
                        delta = decoder.feed_json(data)
                        if delta is None:
                            continue
                        waiting_for = "more of the answer"
                        deadline = min(end, clock() + self._settings["llm.progress_timeout"])
                        yield delta
                decoder.end()
        except TimeoutError as error:
            raise EndpointUnavailable(f"{endpoint} kept silent while {waiting_for} was due") from error
        except httpx2.HTTPError as error:
            self._known.pop(endpoint, None)
            raise _unavailable(endpoint, error) from error

    async def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        """The response's head. A kept connection may have died unseen: no byte of an answer came, so once more on a fresh one."""
        for fresh in (False, True):
            request = self._client.build_request("POST", url, content=body, headers=dict(headers))
            try:
                return await self._client.send(request, stream=True)
            except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError):
                if fresh:
                    raise
        raise AssertionError("unreachable")

    async def aclose(self) -> None:
        await self._client.aclose()


async def _require_stream(response: httpx2.Response, endpoint: str) -> None:
    if response.status_code == 200 and "text/event-stream" in response.headers.get("content-type", ""):
        return
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    if response.status_code == 200:
        kind = response.headers.get("content-type", "no content type")
        raise StreamBroken(f"{endpoint} answered with {kind} where a stream was due", "is this the address of the server itself?")
    if response.is_redirect:
        target = response.headers.get("location", "elsewhere")
        raise RequestRejected(f"{endpoint} redirects to {target}, which is not followed", "give the final address with --endpoint")
    raise error_from_body(response.status_code, body, response.headers.get("retry-after", ""))


def _unavailable(endpoint: str, error: Exception) -> EndpointUnavailable:
    if isinstance(error, httpx2.ConnectTimeout | TimeoutError):
        return EndpointUnavailable(f"{endpoint}: no answer in time")
    if isinstance(error, httpx2.ConnectError):
        return EndpointUnavailable(f"{endpoint}: nothing listens there ({str(error) or 'connection refused'})")
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        return EndpointUnavailable(f"{endpoint}: not a usable address ({error})")
    return EndpointUnavailable(f"{endpoint}: the connection broke ({str(error) or type(error).__name__})")
