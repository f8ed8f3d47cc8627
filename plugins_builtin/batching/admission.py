"""The scheduler that knows vLLM: requests go out at once while an endpoint has a place, to where their prefix is cached."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from agentic import (
    AgenticError,
    ChatRequest,
    ContextOverflow,
    Delta,
    EndpointInfo,
    EndpointUnavailable,
    Lane,
    Message,
    Overloaded,
    PartialAnswer,
    RequestRejected,
    Resumes,
    SendsBatches,
    Transport,
)
from agentic.errors import none_answered
from agentic.events import EndpointSeen, Event, Failover
from plugins_builtin.batching.gathering import gathered
from plugins_builtin.batching.places import Places, Ticket
from plugins_builtin.batching.site import Site, Work
from plugins_builtin.batching.watch import Watch

PRIORITIES = {Lane.INTERACTIVE: -10, Lane.SUB_AGENT: 0, Lane.BACKGROUND: 10}
MAX_REFUSALS = 3  # by an endpoint on which nothing of ours runs
MAX_PAUSE_SECONDS = 30.0
PROBE_SECONDS = 0.05  # for a second endpoint to say what it serves, before the first request goes out without it
MAX_BATCH = 16
RETRY_SHARE, MAX_RETRIES = 0.1, 10.0  # of the requests; saved up


class Admission:
    def __init__(self, transport: Transport, emit: Callable[[Event], Awaitable[None]], places: int, hold_seconds: float) -> None:
        self._transport = transport
        self._emit = emit
        self._hold = hold_seconds
        self._sites = [Site(url, places) for url in transport.endpoints]
        self._watch = Watch(transport, self._sites, emit, hold_seconds)
        self._places = Places(self._sites, lambda: self._watch.begin(self._places))
        self._retries = MAX_RETRIES
        self._no_batches: set[str] = set()

    async def submit(self, request: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Delta]:
        can_resume = len(self._sites) > 1 and isinstance(self._transport, Resumes)
        request = replace(request, priority=request.priority or PRIORITIES[lane], token_ids=request.token_ids or can_resume)
        ticket = Ticket(request, lane, Work(request), time.monotonic() + self._hold)
        self._retries = min(MAX_RETRIES, self._retries + RETRY_SHARE)
        while True:
            site = await self._places.take(ticket)
            try:
                async with aclosing(self._attempt(ticket, site)) as pieces:
                    async for delta in pieces:
                        yield delta
                return
            except Overloaded as error:
                self._refused(ticket, site, error)
            except EndpointUnavailable as error:
                self._failed(ticket, site, error)
            except RequestRejected as error:
                if ticket.exact and ticket.received.size and not isinstance(error, ContextOverflow):
                    ticket.exact = False  # this server cannot go on with an answer: it begins anew
                elif not isinstance(error, ContextOverflow) or not self._wider(ticket, site, error):
                    raise

    async def gather(self, requests: Sequence[ChatRequest], lane: Lane = Lane.SUB_AGENT) -> list[Message | Exception]:
        plain = lane is Lane.BACKGROUND and len(requests) > 1 and isinstance(self._transport, SendsBatches)
        if plain and all(_alike(request, requests[0]) for request in requests):
            chunks = [requests[i : i + MAX_BATCH] for i in range(0, len(requests), MAX_BATCH)]
            answers = await asyncio.gather(*(self._batch(chunk, lane) for chunk in chunks))
            return [answer for chunk in answers for answer in chunk]
        return await gathered(self.submit, requests, lane)

    async def info(self) -> EndpointInfo:
        failures: dict[str, EndpointUnavailable] = {}
        for site in sorted(self._sites, key=lambda site: site.closed):
            try:
                site.info = await self._transport.probe(site.url)
            except EndpointUnavailable as error:
                site.failed()
                failures[site.url] = error
            except RequestRejected as error:  # another endpoint may serve the model, or take the key
                if len(self._sites) == 1:
                    raise
                site.failed()
                failures[site.url] = EndpointUnavailable(str(error), error.remedy)
            else:
                for silent, why in failures.items():
                    await self._emit(Failover(from_=silent, to=site.url, why=str(why)))
                unknown = [other for other in self._sites if other.info is None and not other.closed]
                if probes := [self._watch.start(self._watch.ask_whether_back(other)) for other in unknown]:
                    await asyncio.wait(probes, timeout=PROBE_SECONDS)
                return site.info
        raise none_answered(failures)

    def home(self, request: ChatRequest) -> str:
        return self._places.home(Ticket(request, Lane.INTERACTIVE, Work(request), 0.0)).url

    async def warm(self, request: ChatRequest) -> None:
        """Has every endpoint that does not hold the request's prefix compute it, for whoever comes next."""
        work = Work(request)
        for site in self._sites:
            await self._watch.load_of(site)  # how large its cache's blocks are
            if site.is_cold(work):
                await self._compute(site, replace(request, max_tokens=1, priority=PRIORITIES[Lane.BACKGROUND]), work)

    async def look(self) -> list[EndpointSeen]:
        for site in self._sites:
            await self._watch.load_of(site)
        return [site.seen() for site in self._sites if not site.closed]

    async def _compute(self, site: Site, request: ChatRequest, work: Work) -> None:
        cost = site.enter(work, Lane.BACKGROUND)
        try:
            async with aclosing(_closable(self._transport.stream(request, site.url))) as stream:
                async for _ in stream:
                    pass
        except AgenticError:
            return  # it was only to save time
        finally:
            site.leave(cost, Lane.BACKGROUND)
            self._places.dispatch()

    async def _attempt(self, ticket: Ticket, site: Site) -> AsyncGenerator[Delta, None]:
        """The answer, or its rest, from one endpoint. The place there is given back at the end."""
        try:
            stream = await self._rest(ticket, site)
            resumes = stream is not None
            if stream is None:
                stream = self._transport.stream(ticket.request, site.url)
            began = time.monotonic()
            async with aclosing(_closable(stream)) as pieces:
                async for delta in pieces:
                    if began:
                        site.began(time.monotonic() - began, others_wait=self._places.wanted)
                        began = 0.0
                        self._places.dispatch()
                        await self._tell_failover(ticket, site, resumes)
                        if resumes:
                            ticket.received.go_on()
                        elif ticket.received.size:
                            yield Delta(restart=True)
                            ticket.received, ticket.exact = PartialAnswer(), True
                    site.received(delta)
                    ticket.received.add(delta)
                    yield delta
            site.answered()
        finally:
            self._places.leave(ticket, site)

    async def _tell_failover(self, ticket: Ticket, site: Site, resumes: bool) -> None:
        if ticket.failures and ticket.last != site.url:
            size = ticket.received.size
            event = Failover(from_=ticket.last, to=site.url, why=str(ticket.failures.get(ticket.last, "")))
            event.partial, event.resumed = (0, size) if resumes else (size, 0)
            await self._emit(event)

    async def _rest(self, ticket: Ticket, site: Site) -> AsyncIterator[Delta] | None:
        if (
            not ticket.exact
            or not ticket.received.size
            or not isinstance(self._transport, Resumes)
            or not self._same_model(ticket, site)
        ):
            return None
        return await self._transport.resume(ticket.request, ticket.received, site.url)

    def _same_model(self, ticket: Ticket, site: Site) -> bool:
        before = next((other.info for other in self._sites if other.url == ticket.last), None)
        return site.info is not None and before is not None and site.info.model == before.model

    def _wider(self, ticket: Ticket, site: Site, error: ContextOverflow) -> bool:
        """Whether another endpoint's window may hold it."""
        ticket.failures[site.url] = EndpointUnavailable(str(error), error.remedy)
        return any(self._window(other) > self._window(site) for other in self._places.open_to(ticket))

    def _window(self, site: Site) -> int:
        return site.info.window if site.info else 0

    def _refused(self, ticket: Ticket, site: Site, error: Overloaded) -> None:
        """Back to its place in the queue; a failure only when an endpoint refuses with nothing of ours to end there."""
        site.overloaded(error.retry_after, ticket.refusals)
        ticket.refusals += not site.in_flight
        ticket.last = site.url
        if ticket.refusals > MAX_REFUSALS or error.retry_after > MAX_PAUSE_SECONDS:
            self._failed(ticket, site, error)

    def _failed(self, ticket: Ticket, site: Site, error: EndpointUnavailable) -> None:
        """The next endpoint. Where the answer had grown meanwhile, those that failed before may try again, within the budget."""
        if not isinstance(error, Overloaded):
            site.failed()
        ticket.last = site.url
        ticket.failures[site.url] = error
        if len(ticket.failures) < len(self._sites):
            return
        if ticket.received.size > ticket.seen and self._retries >= 1 and len(self._sites) > 1:
            self._retries -= 1
            ticket.seen = ticket.received.size
            ticket.failures = {site.url: error}
            return
        raise none_answered(ticket.failures)

    async def _batch(self, requests: Sequence[ChatRequest], lane: Lane) -> list[Message | Exception]:
        """Through the batch route; one by one where there is none."""
        assert isinstance(self._transport, SendsBatches)
        whole = Work(requests[0])
        whole.prompt, whole.answer = sum(Work(request).prompt for request in requests), whole.answer * len(requests)
        ticket = Ticket(requests[0], lane, whole, time.monotonic() + self._hold)
        site = await self._places.take(ticket)
        try:
            if site.url not in self._no_batches:
                request = [replace(request, priority=PRIORITIES[lane]) for request in requests]
                return list(await self._transport.batch(request, site.url))
        except AgenticError as error:
            if isinstance(error, RequestRejected):
                self._no_batches.add(site.url)
        finally:
            self._places.leave(ticket, site)
        return await gathered(self.submit, requests, lane)


def _closable(stream: AsyncIterator[Delta]) -> AsyncGenerator[Delta, None]:
    return cast(AsyncGenerator[Delta, None], stream)


def _alike(request: ChatRequest, other: ChatRequest) -> bool:
    return not request.tools and replace(request, messages=other.messages) == other
