"""The scheduler that knows vLLM: requests go out at once while an endpoint has a slot, to where their prefix is cached."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from agentic import (
    AgenticError,
    Answer,
    CachesPrefixes,
    ChatRequest,
    ContextOverflow,
    Delta,
    EndpointInfo,
    EndpointUnavailable,
    Lane,
    Overloaded,
    PartialAnswer,
    RequestRejected,
    Resumes,
    SendsBatches,
    Transport,
)
from agentic.config.schema import LlmSettings
from agentic.errors import Unreachable, cause_at, none_answered
from agentic.events import EndpointSeen, Failover, Warned
from plugins_builtin.batching.common import MAX_PAUSE_SECONDS, Emit, Patience, first_answer, gathered
from plugins_builtin.batching.endpoint import Cost, Endpoint
from plugins_builtin.batching.limits import EVERYWHERE, EndpointLimits
from plugins_builtin.batching.monitor import LoadMonitor
from plugins_builtin.batching.slots import PendingRequest, Slots

PRIORITIES = {Lane.INTERACTIVE: -10, Lane.SUB_AGENT: 0, Lane.BACKGROUND: 10}
_log = logging.getLogger("agentic.batching")
MAX_REFUSALS = 3  # by an endpoint on which nothing of ours runs
PROBE_SECONDS = 0.05  # for a second endpoint to say what it serves, before the first request goes out without it
MAX_BATCH = 16
MAX_ENDED = 2  # servers that were gone after they had been given a request and said nothing
_ENDS_SERVERS = "the server ended twice while it worked on this request, which is not sent a third time"


class Admission:
    def __init__(
        self,
        transport: Transport,
        emit: Emit,
        slots: int,
        hold_seconds: float,
        retry_seconds: float = 120.0,
        endpoints: EndpointLimits = EVERYWHERE,
    ) -> None:
        self._transport = transport
        self._emit = emit
        self._hold = hold_seconds
        self._retry_seconds = retry_seconds
        self._of = endpoints.of
        self._new_slots, self._most = slots, endpoints.most
        self._every: dict[str, Endpoint] = {}
        self._endpoints: list[Endpoint] = []
        self._take_up()
        self._monitor = LoadMonitor(transport, self._endpoints, emit, hold_seconds)
        self._slots = Slots(self._endpoints, lambda: self._monitor.begin(self._slots))
        self._no_batches: set[str] = set()
        self._told: set[str] = set()  # the roles that the main model has to fill

    def _take_up(self) -> None:
        """The endpoints that the transport has now; what is known of the others is kept, since they may come back."""
        for url in self._transport.endpoints:
            if url not in self._every:
                self._every[url] = Endpoint(url, self._new_slots, most=self._most, settings=self._of(url))
        self._endpoints[:] = [self._every[url] for url in self._transport.endpoints]

    def follow(self, settings: LlmSettings) -> None:
        self._of = settings.of
        self._take_up()
        self._slots.dispatch()

    async def submit(self, request: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Delta]:
        can_resume = isinstance(self._transport, Resumes)
        request = replace(request, priority=request.priority or PRIORITIES[lane], token_ids=request.token_ids or can_resume)
        pending = PendingRequest(request, lane, Cost(request), time.monotonic() + self._hold)
        patience = Patience(request, self._retry_seconds, self._emit)
        await self._know(request)
        while True:
            endpoint = await self._slots.take(pending)
            try:
                async with aclosing(self._attempt(pending, endpoint)) as pieces:
                    async for delta in pieces:
                        yield delta
                return
            except Overloaded as error:
                self._refused(pending, endpoint, error)
            except EndpointUnavailable as error:
                self._failed(pending, endpoint, error)
                if endpoint.url in pending.broke and await self._is_gone(endpoint):
                    pending.note_gone(endpoint.url)
                if pending.ended >= MAX_ENDED:
                    raise none_answered(pending.failures, _ENDS_SERVERS) from error
            except RequestRejected as error:
                if pending.exact and pending.received.size and not isinstance(error, ContextOverflow):
                    pending.exact = False  # this server cannot go on with an answer: it begins anew
                elif not isinstance(error, ContextOverflow) or not self._wider(pending, endpoint, error):
                    raise
            if all(endpoint.url in pending.failures for endpoint in self._endpoints):
                await patience.wait(pending.received.size, pending.failures)
                pending.failures.clear()
                pending.refusals = 0

    async def gather(self, requests: Sequence[ChatRequest], lane: Lane = Lane.SUB_AGENT) -> list[Answer | Exception]:
        plain = lane is Lane.BACKGROUND and len(requests) > 1 and isinstance(self._transport, SendsBatches)
        if plain and all(_alike(request, requests[0]) for request in requests):
            chunks = [requests[i : i + MAX_BATCH] for i in range(0, len(requests), MAX_BATCH)]
            answers = await asyncio.gather(*(self._batch(chunk, lane) for chunk in chunks))
            return [answer for chunk in answers for answer in chunk]
        return await gathered(self.submit, requests, lane)

    async def info(self) -> EndpointInfo:
        order = sorted(self._endpoints, key=lambda endpoint: endpoint.closed)
        url, info = await first_answer(
            self._transport, [endpoint.url for endpoint in order], self._emit, lambda url: self._endpoint(url).failed()
        )
        self._endpoint(url).info = info
        unknown = [other for other in self._endpoints if other.info is None and not other.closed]
        if probes := [self._monitor.start(self._monitor.ask_whether_back(other)) for other in unknown]:
            await asyncio.wait(probes, timeout=PROBE_SECONDS)
        return info

    def _endpoint(self, url: str) -> Endpoint:
        return self._every[url]

    def home(self, request: ChatRequest) -> str:
        return self._slots.home(PendingRequest(request, Lane.INTERACTIVE, Cost(request), 0.0)).url

    async def warm(self, request: ChatRequest) -> None:
        """Has every endpoint that does not hold the request's prefix compute it, for whoever comes next."""
        if isinstance(self._transport, CachesPrefixes) and not self._transport.caches_prefixes:
            return
        work = Cost(request)
        for endpoint in self._endpoints:
            await self._monitor.load_of(endpoint)  # how large its cache's blocks are
            if endpoint.is_cold(work):
                await self._compute(replace(request, max_tokens=1, priority=PRIORITIES[Lane.BACKGROUND]), endpoint)

    async def aclose(self) -> None:
        await self._monitor.stop()

    async def look(self) -> list[EndpointSeen]:
        for endpoint in self._endpoints:
            await self._monitor.load_of(endpoint)
        return [endpoint.seen() for endpoint in self._endpoints if not endpoint.closed]

    async def _compute(self, request: ChatRequest, endpoint: Endpoint) -> None:
        pending = PendingRequest(request, Lane.BACKGROUND, Cost(request), 0.0)
        self._slots.enter(pending, endpoint)
        try:
            async with aclosing(_closable(self._transport.stream(request, endpoint.url))) as stream:
                async for _ in stream:
                    pass
        except AgenticError:
            return  # it was only to save time
        finally:
            self._slots.leave(pending, endpoint)

    async def _attempt(self, pending: PendingRequest, endpoint: Endpoint) -> AsyncGenerator[Delta, None]:
        """The answer, or its rest, from one endpoint. The slot there is given back at the end."""
        pending.seen = pending.received.size
        try:
            stream = await self._rest(pending, endpoint)
            resumes = stream is not None
            if stream is None:
                stream = self._transport.stream(await self._as_served(pending.request, endpoint), endpoint.url)
            began = time.monotonic()
            async with aclosing(_closable(stream)) as pieces:
                async for delta in pieces:
                    if delta.prefilled:  # nothing of the answer yet
                        yield delta
                        continue
                    if began:
                        endpoint.began(time.monotonic() - began, others_wait=self._slots.wanted)
                        began = 0.0
                        self._slots.dispatch()
                        await self._tell_failover(pending, endpoint, resumes)
                        if resumes:
                            pending.received.go_on()
                        elif pending.received.size:
                            yield Delta(restart=True)
                            pending.received, pending.exact = PartialAnswer(), True
                    delta = endpoint.received(delta)
                    pending.received.add(delta)
                    yield delta
            endpoint.answered()
        finally:
            self._slots.leave(pending, endpoint)

    async def _tell_failover(self, pending: PendingRequest, endpoint: Endpoint, resumes: bool) -> None:
        size = pending.received.size
        if pending.why and (pending.last != endpoint.url or size):
            event = Failover(from_=pending.last, to=endpoint.url, why=pending.why)
            pending.why = ""
            event.partial, event.resumed = (0, size) if resumes else (size, 0)
            await self._emit(event)

    async def _rest(self, pending: PendingRequest, endpoint: Endpoint) -> AsyncIterator[Delta] | None:
        if (
            not pending.exact
            or not pending.received.size
            or not isinstance(self._transport, Resumes)
            or not self._same_model(pending, endpoint)
        ):
            return None
        request = await self._as_served(pending.request, endpoint)
        return await self._transport.resume(request, pending.received, endpoint.url)

    async def _as_served(self, request: ChatRequest, endpoint: Endpoint) -> ChatRequest:
        """The request for this endpoint: the main model does a role's work where its own is not served, which is told once."""
        if not request.role or (endpoint.serves(request.model) and request.endpoint in ("", endpoint.url)):
            return request
        if request.role not in self._told:
            self._told.add(request.role)
            what = " at ".join(filter(None, (request.model or "the model", request.endpoint)))
            await self._emit(Warned(message=f"llm.roles.{request.role}: {what} does not answer; the main model does its work"))
        return request if endpoint.serves(request.model) else replace(request, model="")

    async def _know(self, request: ChatRequest) -> None:
        """Has the endpoints tell what they serve, as far as the request's role depends on it."""
        if request.role:
            unknown = [endpoint for endpoint in self._endpoints if endpoint.info is None and not endpoint.closed]
            await asyncio.gather(*(self._monitor.ask_whether_back(endpoint) for endpoint in unknown))

    def _same_model(self, pending: PendingRequest, endpoint: Endpoint) -> bool:
        before = self._endpoint(pending.last).info
        return endpoint.info is not None and before is not None and endpoint.info.model == before.model

    def _wider(self, pending: PendingRequest, endpoint: Endpoint, error: ContextOverflow) -> bool:
        """True if another endpoint's window may hold it."""
        pending.failures[endpoint.url] = EndpointUnavailable(str(error), error.remedy)
        return any(other.window > endpoint.window for other in self._slots.open_to(pending))

    def _refused(self, pending: PendingRequest, endpoint: Endpoint, error: Overloaded) -> None:
        """Back to its slot in the queue; a failure only when an endpoint refuses with nothing of ours to end there."""
        endpoint.overloaded(error.retry_after, pending.refusals)
        pending.refusals += not endpoint.in_flight
        pending.last, pending.why = endpoint.url, cause_at(endpoint.url, error)
        if pending.refusals > MAX_REFUSALS or error.retry_after > MAX_PAUSE_SECONDS:
            self._failed(pending, endpoint, error)

    def _failed(self, pending: PendingRequest, endpoint: Endpoint, error: EndpointUnavailable) -> None:
        """Out of the question until the others were tried. A server that is gone after it broke a request off may be its victim."""
        _log.warning("%s failed: %s", endpoint.url, error)
        if not isinstance(error, Overloaded):
            endpoint.failed()
        pending.last, pending.why = endpoint.url, cause_at(endpoint.url, error)
        pending.failures[endpoint.url] = error
        if isinstance(error, Unreachable):
            pending.note_gone(endpoint.url)
        elif not isinstance(error, Overloaded) and pending.received.size == pending.seen:
            pending.broke.add(endpoint.url)

    async def _is_gone(self, endpoint: Endpoint) -> bool:
        try:
            await self._transport.probe(endpoint.url)
        except Unreachable:
            return True
        except AgenticError:
            pass
        return False

    async def _batch(self, requests: Sequence[ChatRequest], lane: Lane) -> list[Answer | Exception]:
        """Through the batch route; one by one where there is none."""
        assert isinstance(self._transport, SendsBatches)
        whole = Cost(requests[0])
        whole.prompt, whole.answer = sum(Cost(request).prompt for request in requests), whole.answer * len(requests)
        await self._know(requests[0])
        pending = PendingRequest(requests[0], lane, whole, time.monotonic() + self._hold)
        endpoint = await self._slots.take(pending)
        try:
            if endpoint.url not in self._no_batches:
                served = [await self._as_served(request, endpoint) for request in requests]
                urgent = [replace(request, priority=PRIORITIES[lane]) for request in served]
                return list(await self._transport.batch(urgent, endpoint.url))
        except AgenticError:  # a router may not know the route, and say so in any way
            self._no_batches.add(endpoint.url)
        finally:
            self._slots.leave(pending, endpoint)
        return await gathered(self.submit, requests, lane)


def _closable(stream: AsyncIterator[Delta]) -> AsyncGenerator[Delta, None]:
    return cast(AsyncGenerator[Delta, None], stream)


def _alike(request: ChatRequest, other: ChatRequest) -> bool:
    return not request.tools and replace(request, messages=other.messages) == other
