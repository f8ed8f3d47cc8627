"""Answers as they come: one connection per request in flight, deadlines that count content only."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

from agentic import Delta, EndpointLoad, EndpointUnavailable, RequestRejected
from agentic.config.schema import LlmSettings
from agentic.lib.wire import SseParser, error_from_body, error_from_text
from plugins_builtin.vllm.asking import MAX_ERROR_BYTES, in_json
from plugins_builtin.vllm.connection import Connection, Response
from plugins_builtin.vllm.http import MAX_BODY_BYTES, Http
from plugins_builtin.vllm.prefill import FirstChunk
from plugins_builtin.vllm.refusals import Refusals

_TOKEN = "x-session-token"  # a router's own word for where a conversation is, to be said again


class Decoder(Protocol):
    @property
    def finish_reason(self) -> str: ...

    def feed_json(self, data: bytes) -> Delta | None: ...

    def end(self, done: bool = False) -> Delta | None: ...


class Streaming:
    """Sends requests and reads the answers. `base` gives the URL that the API's paths are appended to, `load` how busy a server is.

    `gone` is told of an endpoint that did not answer.
    """

    def __init__(
        self,
        http: Http,
        settings: LlmSettings,
        base: Callable[[str], str],
        load: Callable[[str], Awaitable[EndpointLoad]],
        gone: Callable[[str], None],
    ) -> None:
        self._http = http
        self._settings = settings
        self._base = base
        self._load = load
        self._gone = gone
        self._refusals = Refusals(settings.stream)
        self._tokens: dict[str, str] = {}

    async def deltas(
        self,
        endpoint: str,
        path: str,
        body: Mapping[str, Any],
        patience: float,
        decoder: Decoder,
        session: str = "",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncGenerator[Delta, None]:
        """The answer to a `body` as `decoder` reads it; `patience` in seconds is for the first token. `more` are headers.

        A field that the server refuses is left out, in all further requests too. Raises AgenticError.
        """
        while True:
            sent, begun = self._refusals.fitted(endpoint, body), False
            try:
                async with aclosing(self._sent(endpoint, path, sent, patience, decoder, session, more)) as pieces:
                    async for delta in pieces:
                        begun = begun or delta.prefilled is None
                        yield delta
                return
            except RequestRejected as error:
                if begun or not self._refusals.learn(endpoint, error, sent):
                    raise

    async def _sent(
        self,
        endpoint: str,
        path: str,
        body: Mapping[str, Any],
        patience: float,
        decoder: Decoder,
        session: str,
        more: Mapping[str, str],
    ) -> AsyncGenerator[Delta, None]:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "X-Request-Id": os.urandom(8).hex()}
        headers |= more
        if session:
            own = self._settings.session_headers.items()
            headers |= {name: str(value).replace("{session}", session) for name, value in own}
            headers |= {_TOKEN: self._tokens[session]} if session in self._tokens else {}
        clock = asyncio.get_running_loop().time
        end = clock() + self._settings.total_timeout
        progress = self._settings.progress_timeout
        connection = None
        try:
            connection = await self._http.open(
                "POST", self._base(endpoint) + path, in_json(body), headers, min(end, clock() + patience), "the first token"
            )
            response = await self._answer(connection, endpoint)
            if not _is_stream(response):
                for each in _whole(response, decoder):
                    yield each
                return
            if session and (token := response.headers.get(_TOKEN)):
                self._tokens[session] = token
            parser, signs, begun = SseParser(), 0, False
            first = FirstChunk(connection, partial(self._load, endpoint), patience, end)
            async for far in first:
                yield far
            chunk = first.chunk
            while chunk:
                for data in parser.feed(chunk):
                    last = data == b"[DONE]"
                    if (delta := decoder.end(done=True) if last else decoder.feed_json(data)) is not None:
                        if not delta.prefilled:
                            connection.expect("more of the answer", min(end, clock() + progress))
                            begun = True
                        yield delta
                    if last:
                        return
                if parser.signs > signs and not begun:  # a long prompt is being computed
                    connection.expect("the first token", min(end, clock() + patience))
                signs = parser.signs
                chunk = await connection.read()
            for each in _read(parser.end(), decoder):
                yield each
            if parser.stray.strip() and not decoder.finish_reason:
                raise error_from_text(parser.stray)
            decoder.end()
        except EndpointUnavailable:
            self._gone(endpoint)
            raise
        finally:
            if connection is not None:
                self._http.release(connection)

    async def _answer(self, connection: Connection, endpoint: str) -> Response:
        """The response, with its whole body where it is no stream. Raises AgenticError for what is no answer."""
        response = await connection.head()
        if 300 <= response.status < 400:
            target = response.headers.get("location", "elsewhere")
            raise RequestRejected(
                f"{endpoint} redirects to {target}, which is not followed", "give the final address with --endpoint"
            )
        if _is_stream(response):
            return response
        await self._http.whole(connection, MAX_BODY_BYTES if response.status == 200 else MAX_ERROR_BYTES)
        if response.status != 200:
            raise error_from_body(response.status, response.body[:MAX_ERROR_BYTES], response.headers.get("retry-after", ""))
        return response


def _is_stream(response: Response) -> bool:
    return response.status == 200 and "text/event-stream" in response.headers.get("content-type", "")


def _whole(response: Response, decoder: Decoder) -> Iterator[Delta]:
    """The deltas of an answer that was not streamed, or came under another content type. Raises AgenticError for what is none."""
    parser, body = SseParser(), response.body
    events = [*parser.feed(body), *parser.end()]
    if not events and b'"choices"' not in body:
        raise error_from_text(body, response.headers.get("content-type", "no content type"))
    yield from _read(events or [body], decoder)
    decoder.end()


def _read(events: Sequence[bytes], decoder: Decoder) -> Iterator[Delta]:
    for data in events:
        delta = decoder.end(done=True) if data == b"[DONE]" else decoder.feed_json(data)
        if delta is not None:
            yield delta


async def alone(delta: Delta) -> AsyncGenerator[Delta, None]:
    """A stream of one."""
    yield delta
