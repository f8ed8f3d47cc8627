"""Chat Completions as vLLM has them, and whatever stands in for vLLM: what each endpoint serves, can do and has in its cache."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from agentic import (
    AgenticError,
    Answer,
    ChatRequest,
    ContextOverflow,
    Delta,
    EndpointInfo,
    EndpointLoad,
    EndpointUnavailable,
    PartialAnswer,
    RequestRejected,
    TokenCount,
)
from agentic.config.schema import LlmSettings
from agentic.extras import pip_install
from agentic.lib.families import SAMPLES
from agentic.lib.wire import ChunkDecoder, encode_request, loads
from plugins_builtin.vllm import harmony
from plugins_builtin.vllm.asking import Asking
from plugins_builtin.vllm.batch_route import answers_in
from plugins_builtin.vllm.capabilities import Capabilities, known_capabilities
from plugins_builtin.vllm.dialects import LLAMA_CPP, in_dialect
from plugins_builtin.vllm.http import Http
from plugins_builtin.vllm.metrics import read_metrics
from plugins_builtin.vllm.models import chosen, models_in, window_of
from plugins_builtin.vllm.openings import Openings
from plugins_builtin.vllm.options import VllmOptions
from plugins_builtin.vllm.prefill import PrefillRates
from plugins_builtin.vllm.request_log import RequestLog
from plugins_builtin.vllm.streaming import Decoder, Streaming, alone
from plugins_builtin.vllm.strict import learn_strict
from plugins_builtin.vllm.tokenize import ConversationCounter

if TYPE_CHECKING:
    from plugins_builtin.vllm.by_ids import AnswersByIds
    from plugins_builtin.vllm.resume import ResumePlan

_REFUSED = (400, 422)  # what servers say to a field that they do not take


class VllmTransport:
    """`is_known` tells if a model's name says its family; the server's own prompts may where it does not."""

    def __init__(
        self,
        settings: LlmSettings,
        options: VllmOptions,
        origins: Mapping[str, str] = MappingProxyType({}),
        is_known: Callable[[str], bool] = lambda served: True,
    ) -> None:
        self.caches_prefixes = options.enable_prefix_caching and "system_prompt" in options.common_prefixes
        self._settings = settings
        self._origins = origins
        self._is_known = is_known
        self._known: dict[str, EndpointInfo] = {}
        self._can: dict[str, Capabilities] = {}
        self._gpt_oss: dict[str, bool] = {}
        self._prefill = PrefillRates(float(settings.first_token_timeout))
        self._software: dict[str, str] = {}
        self._exact_prompts = options.exact_prompts
        self._versions: dict[str, str] = {}
        self._learning: dict[str, asyncio.Task[None]] = {}
        self._counter = ConversationCounter(self._tokenize)
        self._openings = Openings(self._ids, self.load)
        self.follow(settings)
        how = settings.connect_timeout, settings.proxy, settings.follow_redirects, settings.ca_file
        self._http = Http(self._authorization, *how)
        self._http.log = RequestLog(options.log_requests) if options.log_requests else None
        self._asking = Asking(self._http)
        self.fetch = self._asking.fetch
        self.deltas = Streaming(self._http, settings, self._asking.base, self.load, self._forget).deltas

    def _forget(self, endpoint: str) -> None:
        """Asks it anew for its models."""
        self._known.pop(endpoint, None)

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
            if self.is_llama_cpp(endpoint):
                template, places = await self._asking.properties(endpoint)
                info = replace(info, template=template, places=places)
            self._can[endpoint] = known = known_capabilities(endpoint)
            if known.version or self._gpt_oss[endpoint]:
                self._versions[endpoint] = await self.version(endpoint)
            if known.version and known.version != self._versions[endpoint]:
                self._can[endpoint] = Capabilities()
            is_known = info.template or self._is_known(f"{info.model} {info.root}")
            self._known[endpoint] = info if is_known else replace(info, shown=await self._sample_prompts(info))
        return self._known[endpoint]

    async def _sample_prompts(self, info: EndpointInfo) -> tuple[str, ...]:
        """The prompts that it makes of the samples, () where it does not tell or cannot."""
        with suppress(AgenticError):
            return tuple([await self._asking.prompt(info.url, self.encoded(sample, info)) for sample in SAMPLES])
        return ()

    def is_llama_cpp(self, endpoint: str) -> bool:
        """Returns True if the endpoint's list of models says that it is llama.cpp."""
        return self._software.get(endpoint) == LLAMA_CPP

    async def version(self, endpoint: str) -> str:
        """vLLM's version, "" where the server does not tell."""
        try:
            return str(loads((await self.fetch("GET", endpoint, "/version")).body)["version"])
        except (AgenticError, ValueError, KeyError, TypeError):
            return ""

    async def _models(self, endpoint: str) -> tuple[list[dict[str, Any]], bool]:
        """(what the endpoint lists, whether it may serve more). A named model needs no list. Raises AgenticError."""
        alone = len(self.endpoints) == 1  # else another one can serve meanwhile
        seconds = self._settings.first_token_timeout if alone else self._settings.connect_timeout
        try:
            return models_in((await self._asking.models(endpoint, seconds)).body)
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

    def _model_for(self, endpoint: str) -> str:
        """The model that the user has named for it."""
        return self._of(endpoint).model or self._settings.model

    def _choose_model(self, endpoint: str, models: list[dict[str, Any]], may_be_more: bool) -> EndpointInfo:
        own = "llm.endpoint" if self._of(endpoint).model else "llm.model"
        model = chosen(models, may_be_more, self._model_for(endpoint), endpoint, (own, self._origins.get(own, "")))
        self._software[endpoint] = str(model.get("owned_by"))
        self._gpt_oss[endpoint] = any(harmony.is_gpt_oss(str(model.get(name))) for name in ("id", "root"))
        root = str(model.get("root") or "")
        return EndpointInfo(endpoint, str(model["id"]), window_of(model), tuple(str(each["id"]) for each in models), root)

    async def count_tokens(self, request: ChatRequest, endpoint: str) -> TokenCount:
        await self.probe(endpoint)
        if self._gpt_oss[endpoint]:
            ids = self._by_ids.exact.ids(request, self._made_by(endpoint))
            return TokenCount(harmony.count(request) if ids is None else len(ids), "harmony")
        return TokenCount(await self._counter.count(request, endpoint), "/tokenize")

    async def _tokenize(self, request: ChatRequest, endpoint: str) -> int:
        return await self._asking.count(endpoint, await self._body(request, endpoint), self.is_llama_cpp(endpoint))

    async def _ids(self, request: ChatRequest, endpoint: str) -> list[int]:
        return await self._asking.ids(endpoint, self.encoded(request, await self.probe(endpoint)))

    async def _body(self, request: ChatRequest, endpoint: str) -> dict[str, Any]:
        """The body of a request whose opening is filled up to a border of the server's cache."""
        info = await self.probe(endpoint)
        return self.encoded(await self._openings.filled(request, info), info)

    def encoded(self, request: ChatRequest, info: EndpointInfo) -> dict[str, Any]:
        """The body of a request to that endpoint."""
        can = self._can[info.url]
        if not can.priority and request.priority:  # a server that does not schedule by it may refuse it
            request = replace(request, priority=0)
        # What gpt-oss was trained to call needs no grammar, which would forbid it, where its tokens tell all.
        body = encode_request(request, info.model, can.strict and not self._reads_ids(request, info.url))
        return in_dialect(body, self._software[info.url])

    async def load(self, endpoint: str) -> EndpointLoad:
        return read_metrics((await self.fetch("GET", endpoint, "/metrics")).body)

    async def batch(self, requests: Sequence[ChatRequest], endpoint: str) -> list[Answer]:
        bodies = [await self._body(request, endpoint) for request in requests]
        body = {name: value for name, value in bodies[0].items() if name not in ("stream", "stream_options")}
        body["messages"] = [each["messages"] for each in bodies]
        seconds = self._settings.total_timeout
        response = await self.fetch("POST", endpoint, "/v1/chat/completions/batch", body, seconds)
        try:
            return answers_in(response.body, len(requests))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RequestRejected(f"{endpoint}: the batch route gave no answers ({error})", status=404) from error

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        await self.probe(endpoint)
        if not self._reads_ids(request, endpoint):
            async with aclosing(self.streamed(request, endpoint, ChunkDecoder())) as pieces:
                async for delta in pieces:
                    yield delta
            if request.tools and endpoint not in self._learning and not self._can[endpoint].version:
                self._learning[endpoint] = asyncio.ensure_future(self._learn_strict(endpoint))
            return
        by, begun = self._made_by(endpoint), False
        ids = self._by_ids.exact.ids(request, by)
        try:
            async with aclosing(self._by_ids.read(request, self._known[endpoint], by, ids)) as pieces:
                async for delta in pieces:
                    begun = begun or not delta.prefilled
                    yield delta
        except RequestRejected as error:
            if begun or ids is None or isinstance(error, ContextOverflow) or error.status not in _REFUSED:
                raise
            async with aclosing(self._by_ids.read(request, self._known[endpoint], by, None)) as pieces:
                async for delta in pieces:
                    yield delta
            self._by_ids.exact.switch_off(by, f"the server refuses ids ({error})")

    @cached_property
    def _by_ids(self) -> "AnswersByIds":
        """Reads gpt-oss's answers."""
        from plugins_builtin.vllm.by_ids import AnswersByIds

        return AnswersByIds(self, self._exact_prompts)

    def _reads_ids(self, request: ChatRequest, endpoint: str) -> bool:
        """True if the answer is read from its tokens here: then nothing is lost, whatever gpt-oss calls."""
        return self._gpt_oss[endpoint] and request.token_ids and harmony.available()

    async def _learn_strict(self, endpoint: str) -> None:
        self._versions[endpoint] = self._versions.get(endpoint) or await self.version(endpoint)
        if self._versions[endpoint]:
            await learn_strict(self, endpoint, self._versions[endpoint])

    def way_of_prompts(self, endpoint: str) -> tuple[str, str]:
        """(how the prompts of a conversation go to it, for people; what is in the way of ids, "" for nothing)"""
        if not self._gpt_oss[endpoint]:
            return "in messages", ""
        if not harmony.available():
            return "in messages", pip_install("gpt-oss")
        why = self._by_ids.exact.why_not(self._made_by(endpoint))
        return ("in messages", why) if why else ("in ids", "")

    def _made_by(self, endpoint: str) -> tuple[str, str]:
        """Returns the model and the server's version for which ids of this endpoint are good."""
        return self._known[endpoint].model, self._versions.get(endpoint, "")

    async def streamed(
        self, request: ChatRequest, endpoint: str, decoder: Decoder, fields: Mapping[str, Any] = MappingProxyType({})
    ) -> AsyncGenerator[Delta, None]:
        """The answer as `decoder` reads it, to a request with further `fields`."""
        body = await self._body(request, endpoint) | dict(fields)
        patience = self._prefill.patience(request, endpoint)
        started = asyncio.get_running_loop().time()
        waited = 0.0
        async with aclosing(
            self.deltas(endpoint, "/chat/completions", body, patience, decoder, request.session, request.headers)
        ) as pieces:
            async for delta in pieces:
                if not delta.prefilled:
                    waited = waited or asyncio.get_running_loop().time() - started
                if delta.usage is not None:
                    self._prefill.learn(endpoint, delta.usage.prompt_tokens - (delta.usage.cached_tokens or 0), waited)
                yield delta

    async def resume(self, request: ChatRequest, received: PartialAnswer, endpoint: str) -> AsyncIterator[Delta] | None:
        from plugins_builtin.vllm.resume import resumed

        info = await self.probe(endpoint)
        way = resumed(request, received, info, await self._body(request, endpoint), self._gpt_oss[endpoint])
        if way is None:
            return None
        if way.whole is not None:
            return alone(way.whole)
        return self.deltas_of(way, request, endpoint)

    def deltas_of(self, way: "ResumePlan", request: ChatRequest, endpoint: str) -> AsyncGenerator[Delta, None]:
        """Streams the rest of an answer."""
        patience = self._prefill.patience(request, endpoint)
        return self.deltas(endpoint, way.path, way.body, patience, way.decoder, request.session, request.headers)

    async def survives_idle(self, endpoint: str, seconds: float) -> bool:
        """True if a connection on which nothing happens for so long is still open then. Raises EndpointUnavailable."""
        return await self._http.survives_idle(f"{endpoint.removesuffix('/v1')}/health", seconds)

    async def aclose(self) -> None:
        for task in self._learning.values():
            task.cancel()
        await asyncio.gather(*self._learning.values(), return_exceptions=True)
        await self._http.aclose()
