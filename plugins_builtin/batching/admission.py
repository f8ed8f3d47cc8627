"""The scheduler that knows vLLM: requests go out at once while an endpoint has a place, to where their prefix is cached."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
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
from agentic.events import EndpointSeen, Failover
from plugins_builtin.batching.common import MAX_PAUSE_SECONDS, Emit, first_answer, gathered
from plugins_builtin.batching.places import Places, Ticket
from plugins_builtin.batching.site import Site, Work
from plugins_builtin.batching.watch import Watch

PRIORITIES = {Lane.INTERACTIVE: -10, Lane.SUB_AGENT: 0, Lane.BACKGROUND: 10}
MAX_REFUSALS = 3  # by an endpoint on which nothing of ours runs
PROBE_SECONDS = 0.05  # for a second endpoint to say what it serves, before the first request goes out without it
MAX_BATCH = 16
RETRY_SHARE, MAX_RETRIES = 0.1, 10.0  # of the requests; saved up


class Admission:
    def __init__(self, transport: Transport, emit: Emit, places: int, hold_seconds: float) -> None:
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
        order = sorted(self._sites, key=lambda site: site.closed)
        url, info = await first_answer(
            self._transport, [site.url for site in order], self._emit, lambda url: self._site(url).failed()
        )
        self._site(url).info = info
        unknown = [other for other in self._sites if other.info is None and not other.closed]
        if probes := [self._watch.start(self._watch.ask_whether_back(other)) for other in unknown]:
            await asyncio.wait(probes, timeout=PROBE_SECONDS)
        return info

    def _site(self, url: str) -> Site:
        return next(site for site in self._sites if site.url == url)

    def home(self, request: ChatRequest) -> str:
        return self._places.home(Ticket(request, Lane.INTERACTIVE, Work(request), 0.0)).url

    async def warm(self, request: ChatRequest) -> None:
        """Has every endpoint that does not hold the request's prefix compute it, for whoever comes next."""
        work = Work(request)
        for site in self._sites:
            await self._watch.load_of(site)  # how large its cache's blocks are
            if site.is_cold(work):
                await self._compute(replace(request, max_tokens=1, priority=PRIORITIES[Lane.BACKGROUND]), site)

    async def look(self) -> list[EndpointSeen]:
        for site in self._sites:
            await self._watch.load_of(site)
        return [site.seen() for site in self._sites if not site.closed]

    async def _compute(self, request: ChatRequest, site: Site) -> None:
        ticket = Ticket(request, Lane.BACKGROUND, Work(request), 0.0)
        self._places.enter(ticket, site)
        try:
            async with aclosing(_closable(self._transport.stream(request, site.url))) as stream:
                async for _ in stream:
                    pass
        except AgenticError:
            return  # it was only to save time
        finally:
            self._places.leave(ticket, site)

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
        before = self._site(ticket.last).info
        return site.info is not None and before is not None and site.info.model == before.model

    def _wider(self, ticket: Ticket, site: Site, error: ContextOverflow) -> bool:
        """Whether another endpoint's window may hold it."""
        ticket.failures[site.url] = EndpointUnavailable(str(error), error.remedy)
        return any(other.window > site.window for other in self._places.open_to(ticket))

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
                urgent = [replace(request, priority=PRIORITIES[lane]) for request in requests]
                return list(await self._transport.batch(urgent, site.url))
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
