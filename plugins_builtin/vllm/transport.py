"""Chat Completions: one connection per request in flight, deadlines that count content only."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, cast

from agentic import (
    AgenticError,
    Answer,
    ChatRequest,
    ContextOverflow,
    Delta,
    EndpointInfo,
    EndpointLoad,
    EndpointUnavailable,
    Message,
    PartialAnswer,
    RequestRejected,
    TokenCount,
)
from agentic.config.schema import LlmSettings
from agentic.errors import Loading
from agentic.extras import pip_install
from agentic.lib.wire import ChunkDecoder, SseParser, encode_request, error_from_body, error_from_text, loads, usage_of
from plugins_builtin.vllm import harmony
from plugins_builtin.vllm.capabilities import Capabilities, keep_capabilities, known_capabilities
from plugins_builtin.vllm.connection import Connection, Response
from plugins_builtin.vllm.exact import ExactPrompts
from plugins_builtin.vllm.harmony_stream import HarmonyDecoder
from plugins_builtin.vllm.http import MAX_BODY_BYTES, Http
from plugins_builtin.vllm.metrics import read_metrics
from plugins_builtin.vllm.models import chosen, models_in, window_of
from plugins_builtin.vllm.options import VllmOptions
from plugins_builtin.vllm.prefill import FirstChunk
from plugins_builtin.vllm.refusals import Refusals
from plugins_builtin.vllm.resume import Decoder, HarmonyResumeDecoder, ResumePlan, resumed
from plugins_builtin.vllm.strict import holds_calls
from plugins_builtin.vllm.tokenize import ConversationCounter

_log = logging.getLogger("agentic.vllm")
ASIDE_SECONDS = 2.0  # for what a request can do without: its exact length, the server's load
MAX_ERROR_BYTES = 64 * 1024
BYTES_A_TOKEN = 4
LOADING_SECONDS = 1.0  # between two looks at a server that loads its model
_REFUSED = (400, 422)  # what servers say to a field that they do not take
_TOKEN = "x-session-token"  # a router's own word for where a conversation is, to be said again
PREFILL_PATIENCE = 3.0  # times what the measured rate of prefill lets expect


class VllmTransport:
    def __init__(self, settings: LlmSettings, options: VllmOptions, origins: Mapping[str, str] | None = None) -> None:
        self.caches_prefixes = options.enable_prefix_caching and "system_prompt" in options.common_prefixes
        self._settings = settings
        self._origins = origins or {}
        self._known: dict[str, EndpointInfo] = {}
        self._can: dict[str, Capabilities] = {}
        self._gpt_oss: dict[str, bool] = {}
        self._prefill: dict[str, float] = {}
        self._tokens: dict[str, str] = {}
        self._llama_cpp: set[str] = set()
        self._bases: dict[str, str] = {}
        self._refusals = Refusals(settings.stream)
        self._exact = ExactPrompts(options.exact_prompts)
        self._versions: dict[str, str] = {}
        self._learning: dict[str, asyncio.Task[None]] = {}
        self._counter = ConversationCounter(self._tokenize)
        self.follow(settings)
        self._http = Http(
            self._authorization, settings.connect_timeout, settings.proxy, settings.follow_redirects, settings.ca_file
        )

    def follow(self, settings: LlmSettings) -> None:
        self.endpoints = tuple(url.rstrip("/") for url in settings.endpoints)
        self._of = settings.of
        self._authorizations = {
            endpoint.removesuffix("/v1"): {"Authorization": found} if (found := settings.authorization(endpoint)) else {}
            for endpoint in self.endpoints
        }

    def _authorization(self, url: str) -> Mapping[str, str]:
        """Returns the authorization header of the endpoint that has the URL."""
        root = max((root for root in self._authorizations if url.startswith(root)), key=len, default="")
        return self._authorizations.get(root, {})

    async def probe(self, endpoint: str) -> EndpointInfo:
        if endpoint not in self._known:
            info = self._choose_model(endpoint, *await self._models(endpoint))
            self._can[endpoint] = known = known_capabilities(endpoint)
            if known.version or self._gpt_oss[endpoint]:
                self._versions[endpoint] = await self.version(endpoint)
            if known.version and known.version != self._versions[endpoint]:
                self._can[endpoint] = Capabilities()
            self._known[endpoint] = info
        return self._known[endpoint]

    def is_llama_cpp(self, endpoint: str) -> bool:
        """Returns True if the endpoint's list of models says that it is llama.cpp."""
        return endpoint in self._llama_cpp

    async def version(self, endpoint: str) -> str:
        """vLLM's version, "" where the server does not tell."""
        try:
            return str(loads((await self.fetch("GET", endpoint, "/version")).body)["version"])
        except (AgenticError, ValueError, KeyError, TypeError):
            return ""

    async def fetch(
        self, method: str, endpoint: str, path: str, body: Mapping[str, Any] | None = None, seconds: float = 0
    ) -> Response:
        """The server's answer to a question beside the API (`path` from the server's root). Raises AgenticError."""
        url = endpoint.removesuffix("/v1") + path
        return await self._good(method, url, _body(body) if body else b"", seconds or ASIDE_SECONDS)

    async def _good(self, method: str, url: str, body: bytes, seconds: float) -> Response:
        response = await self._http.fetch(method, url, body, seconds)
        if response.status != 200:
            raise error_from_body(response.status, response.body[:MAX_ERROR_BYTES])
        return response

    async def _models(self, endpoint: str) -> tuple[list[dict[str, Any]], bool]:
        """(what the endpoint lists, whether it may serve more). A named model needs no list. Raises AgenticError."""
        alone = len(self.endpoints) == 1  # else another one can serve meanwhile
        seconds = self._settings.first_token_timeout if alone else self._settings.connect_timeout
        try:
            return models_in((await self._list(endpoint, seconds)).body)
        except (RequestRejected, EndpointUnavailable) as error:
            if self._model_for(endpoint) and error.status:
                return [], True
            raise
        except ValueError as error:
            if self._model_for(endpoint):
                return [], True
            raise RequestRejected(
                f"{endpoint} lists no models", "is this an OpenAI-compatible server? (URL ends in /v1); --model NAME needs no list"
            ) from error

    async def _list(self, endpoint: str, seconds: float) -> Response:
        """`/models`, also where the URL lacks its `/v1`; a server that loads its model is waited for."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                return await self._good("GET", f"{self._base(endpoint)}/models", b"", seconds)
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

    def _base(self, endpoint: str) -> str:
        """Returns the URL that the API's paths are appended to."""
        return self._bases.get(endpoint, endpoint)

    def _model_for(self, endpoint: str) -> str:
        """The model that the user has named for it."""
        return self._of(endpoint).model or self._settings.model

    def _choose_model(self, endpoint: str, models: list[dict[str, Any]], may_be_more: bool) -> EndpointInfo:
        own = "llm.endpoint" if self._of(endpoint).model else "llm.model"
        model = chosen(models, may_be_more, self._model_for(endpoint), endpoint, (own, self._origins.get(own, "")))
        if model.get("owned_by") == "llamacpp":
            self._llama_cpp.add(endpoint)
        self._gpt_oss[endpoint] = any(harmony.is_gpt_oss(str(model.get(name))) for name in ("id", "root"))
        return EndpointInfo(endpoint, str(model["id"]), window_of(model), tuple(str(each["id"]) for each in models))

    async def count_tokens(self, request: ChatRequest, endpoint: str) -> TokenCount:
        await self.probe(endpoint)
        if self._gpt_oss[endpoint]:
            ids = self._exact.ids(request, self._made_by(endpoint))
            return TokenCount(harmony.count(request) if ids is None else len(ids), "harmony")
        return TokenCount(await self._counter.count(request, endpoint), "/tokenize")

    async def _tokenize(self, request: ChatRequest, endpoint: str) -> int:
        info = await self.probe(endpoint)
        encoded = self._encoded(request, info)
        body = {name: value for name, value in encoded.items() if name in ("model", "messages", "tools")}
        try:
            if endpoint in self._llama_cpp:
                prompt = loads((await self.fetch("POST", endpoint, "/apply-template", body)).body)["prompt"]
                body = {"content": prompt, "parse_special": True, "add_special": True}
                return len(loads((await self.fetch("POST", endpoint, "/tokenize", body)).body)["tokens"])
            return int(loads((await self.fetch("POST", endpoint, "/tokenize", body)).body)["count"])
        except (ValueError, KeyError, TypeError) as error:
            raise AgenticError(f"{endpoint}: /tokenize gave no count") from error

    def _encoded(self, request: ChatRequest, info: EndpointInfo) -> dict[str, Any]:
        can = self._can[info.url]
        if not can.priority and request.priority:  # a server that does not schedule by it may refuse it
            request = replace(request, priority=0)
        # What gpt-oss was trained to call needs no grammar, which would forbid it, where its tokens tell all.
        body = encode_request(request, info.model, can.strict and not self._reads_ids(request, info.url))
        return body | {"return_progress": True} if info.url in self._llama_cpp else body

    async def load(self, endpoint: str) -> EndpointLoad:
        return read_metrics((await self.fetch("GET", endpoint, "/metrics")).body)

    async def batch(self, requests: Sequence[ChatRequest], endpoint: str) -> list[Answer]:
        info = await self.probe(endpoint)
        bodies = [self._encoded(request, info) for request in requests]
        body = {name: value for name, value in bodies[0].items() if name not in ("stream", "stream_options")}
        body["messages"] = [each["messages"] for each in bodies]
        seconds = self._settings.total_timeout
        response = await self.fetch("POST", endpoint, "/v1/chat/completions/batch", body, seconds)
        try:
            whole = loads(response.body)
            choices = sorted(whole["choices"], key=lambda choice: int(choice["index"]))
            answers = [choice["message"] for choice in choices]
            if len(answers) != len(requests):
                raise ValueError(f"{len(answers)} answers to {len(requests)} prompts")
            usage = usage_of(whole.get("usage"))
            made = [Message("assistant", each.get("content") or "", each.get("reasoning") or "") for each in answers]
            return [Answer(message, "stop", None if number else usage) for number, message in enumerate(made)]  # of them all
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RequestRejected(f"{endpoint}: the batch route gave no answers ({error})", status=404) from error

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        await self.probe(endpoint)
        if not self._reads_ids(request, endpoint):
            async with aclosing(self._streamed(request, endpoint, ChunkDecoder())) as pieces:
                async for delta in pieces:
                    yield delta
            if request.tools and endpoint not in self._learning and not self._can[endpoint].version:
                self._learning[endpoint] = asyncio.ensure_future(self._learn_strict(endpoint))
            return
        by, begun = self._made_by(endpoint), False
        ids = self._exact.ids(request, by)
        try:
            async with aclosing(self._read_by_ids(request, endpoint, ids)) as pieces:
                async for delta in pieces:
                    begun = begun or not delta.prefilled
                    yield delta
        except RequestRejected as error:
            if begun or ids is None or isinstance(error, ContextOverflow) or error.status not in _REFUSED:
                raise
            async with aclosing(self._read_by_ids(request, endpoint, None)) as pieces:
                async for delta in pieces:
                    yield delta
            self._exact.switch_off(by, f"the server refuses ids ({error})")

    async def _read_by_ids(self, request: ChatRequest, endpoint: str, ids: list[int] | None) -> AsyncGenerator[Delta, None]:
        """gpt-oss's answer, read from its tokens; its prompt goes as `ids` where they are known."""
        by, decoder, received = self._made_by(endpoint), HarmonyDecoder(), PartialAnswer()
        more = {"kv_transfer_params": {"prompt_token_ids": ids}} if ids is not None else {}
        pieces = self._streamed(request, endpoint, decoder, more)
        while True:
            rest, before = cast(ResumePlan | None, None), len(received.token_ids)
            async with aclosing(pieces):
                async for delta in pieces:
                    if delta.prompt_ids:
                        self._exact.compare(request, by, delta.prompt_ids, ids)
                    received.add(delta)
                    if delta.finish_reason == "length" and decoder.reads_ids and len(received.token_ids) > before:
                        rest = self._rest(request, received, endpoint)
                    yield replace(delta, finish_reason="", usage=None) if rest is not None else delta
            if rest is None:
                break
            decoder = cast(HarmonyResumeDecoder, rest.decoder)
            pieces = self._deltas_of(rest, request, endpoint)
        if decoder.finish_reason != "length" and decoder.reads_ids:
            self._exact.keep(request, by, received.prompt_ids, decoder.made_ids, decoder.reader)

    def _rest(self, request: ChatRequest, received: PartialAnswer, endpoint: str) -> ResumePlan | None:
        """How an answer goes on that a limit of the server's own cut, below what was asked for; None where it was no such limit."""
        info = self._known[endpoint]
        if len(received.token_ids) >= min(request.max_tokens or info.window, info.window - len(received.prompt_ids)):
            return None
        whole = replace(received, shown=len(received.token_ids))
        return resumed(request, whole, info, self._encoded(request, info), gpt_oss=True)

    def _reads_ids(self, request: ChatRequest, endpoint: str) -> bool:
        """True if the answer is read from its tokens here: then nothing is lost, whatever gpt-oss calls."""
        return self._gpt_oss[endpoint] and request.token_ids and harmony.available()

    async def _learn_strict(self, endpoint: str) -> None:
        """True if the server holds calls to their schemas: asked once a version, behind a run's first answer, and kept."""
        try:
            self._versions[endpoint] = self._versions.get(endpoint) or await self.version(endpoint)
            if not self._versions[endpoint]:
                return
            held = bool(await holds_calls(self, endpoint))
        except RequestRejected:
            held = False
        except AgenticError as error:
            _log.info("%s: whether it takes strict tools is not known: %s", endpoint, error)
            return
        with suppress(OSError):  # for the next run: a template may show the word, and the prompt of this one stays as it is
            keep_capabilities(endpoint, Capabilities(self._versions[endpoint], strict=held))

    def way_of_prompts(self, endpoint: str) -> tuple[str, str]:
        """(how the prompts of a conversation go to it, for people; what is in the way of ids, "" for nothing)"""
        if not self._gpt_oss[endpoint]:
            return "in messages", ""
        if not harmony.available():
            return "in messages", pip_install("gpt-oss")
        why = self._exact.why_not(self._made_by(endpoint))
        return ("in messages", why) if why else ("in ids", "")

    def _made_by(self, endpoint: str) -> tuple[str, str]:
        """Returns the model and the server's version for which ids of this endpoint are good."""
        return self._known[endpoint].model, self._versions.get(endpoint, "")

    async def _streamed(
        self, request: ChatRequest, endpoint: str, decoder: Decoder, fields: Mapping[str, Any] = MappingProxyType({})
    ) -> AsyncGenerator[Delta, None]:
        info = await self.probe(endpoint)
        patience = self._patience(request, endpoint)
        started = asyncio.get_running_loop().time()
        body = self._encoded(request, info) | dict(fields)
        waited = 0.0
        async with aclosing(
            self.deltas(endpoint, "/chat/completions", body, patience, decoder, request.session, request.headers)
        ) as pieces:
            async for delta in pieces:
                if not delta.prefilled:
                    waited = waited or asyncio.get_running_loop().time() - started
                if delta.usage is not None:
                    self._learn_prefill(endpoint, delta.usage.prompt_tokens - (delta.usage.cached_tokens or 0), waited)
                yield delta

    async def resume(self, request: ChatRequest, received: PartialAnswer, endpoint: str) -> AsyncIterator[Delta] | None:
        info = await self.probe(endpoint)
        way = resumed(request, received, info, self._encoded(request, info), self._gpt_oss[endpoint])
        if way is None:
            return None
        if way.whole is not None:
            return _alone(way.whole)
        return self._deltas_of(way, request, endpoint)

    def _deltas_of(self, way: ResumePlan, request: ChatRequest, endpoint: str) -> AsyncGenerator[Delta, None]:
        patience = self._patience(request, endpoint)
        return self.deltas(endpoint, way.path, way.body, patience, way.decoder, request.session, request.headers)

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
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "X-Request-Id": secrets.token_hex(8)}
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
                "POST", self._base(endpoint) + path, _body(body), headers, min(end, clock() + patience), "the first token"
            )
            response = await self._answer(connection, endpoint)
            if not _is_stream(response):
                for each in _whole(response, decoder):
                    yield each
                return
            if session and (token := response.headers.get(_TOKEN)):
                self._tokens[session] = token
            parser, signs, begun = SseParser(), 0, False
            first = FirstChunk(connection, partial(self.load, endpoint), patience, end)
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
            self._known.pop(endpoint, None)
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

    def _patience(self, request: ChatRequest, endpoint: str) -> float:
        """Seconds until the first token: more than the setting where prefilling so long a prompt takes longer."""
        size = sum(len(message.text) for message in request.messages) / BYTES_A_TOKEN
        expected = size / self._prefill[endpoint] if self._prefill.get(endpoint) else 0.0
        return max(float(self._settings.first_token_timeout), PREFILL_PATIENCE * expected)

    def _learn_prefill(self, endpoint: str, tokens: int, seconds: float) -> None:
        """Tokens a second; the slowest that was seen, as a rate from a busy server is the one to be patient with."""
        if tokens > 0 and seconds > 0:
            self._prefill[endpoint] = min(self._prefill.get(endpoint, tokens / seconds), tokens / seconds)

    async def survives_idle(self, endpoint: str, seconds: float) -> bool:
        """True if a connection on which nothing happens for so long is still open then. Raises EndpointUnavailable."""
        return await self._http.survives_idle(f"{endpoint.removesuffix('/v1')}/health", seconds)

    async def aclose(self) -> None:
        for task in self._learning.values():
            task.cancel()
        await asyncio.gather(*self._learning.values(), return_exceptions=True)
        await self._http.aclose()


async def _alone(delta: Delta) -> AsyncGenerator[Delta, None]:
    yield delta


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


def _body(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
