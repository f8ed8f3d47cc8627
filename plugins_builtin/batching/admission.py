"""The scheduler that knows vLLM: requests go out at once while an endpoint has a place, to where their prefix is cached."""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, cast

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
    ReportsLoad,
    RequestRejected,
    Resumes,
    SendsBatches,
    Transport,
)
from agentic.errors import none_answered
from agentic.events import EndpointSeen, Event, Failover
from plugins_builtin.batching.gathering import gathered
from plugins_builtin.batching.site import URGENCY, Site, Work

PRIORITIES = {Lane.INTERACTIVE: -10, Lane.SUB_AGENT: 0, Lane.BACKGROUND: 10}
MAX_REFUSALS = 3  # by an endpoint on which nothing of ours runs
MAX_PAUSE_SECONDS = 30.0
WATCH_SECONDS = 0.5
PROBE_SECONDS = 0.05  # for a second endpoint to say what it serves, before the first request goes out without it
MAX_BATCH = 16
RETRY_SHARE, MAX_RETRIES = 0.1, 10.0  # of the requests; saved up


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way to a place. `home_until` is how long it waits for the endpoint that has its prefix."""

    request: ChatRequest
    lane: Lane
    work: Work
    home_until: float
    received: PartialAnswer = field(default_factory=PartialAnswer)
    failures: dict[str, EndpointUnavailable] = field(default_factory=dict)
    refusals: int = 0
    last: str = ""
    seen: int = 0
    exact: bool = True
    cost: int = 0
    place: "asyncio.Future[Site] | None" = None


class Admission:
    def __init__(self, transport: Transport, emit: Callable[[Event], Awaitable[None]], places: int, hold_seconds: float) -> None:
        self._transport = transport
        self._emit = emit
        self._hold = hold_seconds
        self._sites = [Site(url, places) for url in transport.endpoints]
        self._waiting: dict[Lane, deque[Ticket]] = {lane: deque() for lane in sorted(Lane, key=URGENCY.__getitem__)}
        self._retries = MAX_RETRIES
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching = False
        self._no_batches: set[str] = set()

    async def submit(self, request: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Delta]:
        can_resume = len(self._sites) > 1 and isinstance(self._transport, Resumes)
        request = replace(request, priority=request.priority or PRIORITIES[lane], token_ids=request.token_ids or can_resume)
        ticket = Ticket(request, lane, Work(request), time.monotonic() + self._hold)
        self._retries = min(MAX_RETRIES, self._retries + RETRY_SHARE)
        while True:
            site = await self._admitted(ticket)
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
                if probes := [self._start(self._ask_whether_back(other)) for other in unknown]:
                    await asyncio.wait(probes, timeout=PROBE_SECONDS)
                return site.info
        raise none_answered(failures)

    def home(self, request: ChatRequest) -> str:
        ticket = Ticket(request, Lane.INTERACTIVE, Work(request), 0.0)
        return min(self._open_to(ticket), key=lambda site: self._cost(ticket, site)).url

    async def warm(self, request: ChatRequest) -> None:
        """Has every endpoint that does not hold the request's prefix compute it, for whoever comes next."""
        work = Work(request)
        for site in self._sites:
            await self._load_of(site)  # how large its cache's blocks are
            if site.is_cold(work):
                await self._compute(site, replace(request, max_tokens=1, priority=PRIORITIES[Lane.BACKGROUND]), work)

    async def look(self) -> list[EndpointSeen]:
        for site in self._sites:
            await self._load_of(site)
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
            self._dispatch()

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
                        site.began(time.monotonic() - began, others_wait=any(self._waiting.values()))
                        began = 0.0
                        self._dispatch()
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
            site.leave(ticket.cost, ticket.lane)
            self._dispatch()

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

    async def _admitted(self, ticket: Ticket) -> Site:
        """The endpoint that has a place for it, taken. Raises none_answered when there is no endpoint left."""
        ticket.place = asyncio.get_running_loop().create_future()
        self._waiting[ticket.lane].append(ticket)
        self._dispatch()
        try:
            return await ticket.place
        except asyncio.CancelledError:
            if ticket.place.done() and not ticket.place.cancelled() and not ticket.place.exception():
                ticket.place.result().leave(ticket.cost, ticket.lane)
                self._dispatch()
            raise
        finally:
            if ticket in self._waiting[ticket.lane]:
                self._waiting[ticket.lane].remove(ticket)

    def _dispatch(self) -> None:
        """Gives every place that is free to the most urgent request that may have it."""
        for lane, queue in self._waiting.items():
            for ticket in list(queue):
                if not any(site.has_place(lane) for site in self._sites):
                    break
                assert ticket.place is not None
                if ticket.place.done():
                    queue.remove(ticket)
                elif (site := self._place_for(ticket)) is not None:
                    queue.remove(ticket)
                    ticket.cost = site.enter(ticket.work, lane)
                    ticket.place.set_result(site)
        if any(self._waiting.values()) or any(site.in_flight for site in self._sites):
            self._watch()

    def _place_for(self, ticket: Ticket) -> Site | None:
        """The cheapest endpoint, or while its prefix there is worth waiting for, none; then any that has a place."""
        ranked = sorted(self._open_to(ticket), key=lambda site: self._cost(ticket, site))
        if not ranked:
            return None
        if ranked[0].has_place(ticket.lane) or (ranked[0].saved(ticket.work) and time.monotonic() < ticket.home_until):
            return ranked[0] if ranked[0].has_place(ticket.lane) else None
        return next((site for site in ranked if site.has_place(ticket.lane)), None)

    def _open_to(self, ticket: Ticket) -> list[Site]:
        """Those that answer, that it fits and where it has not failed; of those with its model, where there are any."""
        left = [site for site in self._sites if site.url not in ticket.failures]
        answering = [site for site in left if not site.closed] or left
        fitting = [site for site in answering if site.fits(ticket.work)] or answering
        model = next((site.info.model for site in self._sites if site.info is not None), "")
        return [site for site in fitting if site.info is not None and site.info.model == model] or fitting

    def _cost(self, ticket: Ticket, site: Site) -> tuple[int, int]:
        """Tokens until it would be served there, less what its cache saves; equal ones by rendezvous hashing."""
        key = ticket.work.keys[0][0]
        rank = int.from_bytes(hashlib.blake2b(f"{site.url}\0{key}".encode("utf-8", "replace"), digest_size=8).digest(), "big")
        return site.outstanding - site.saved(ticket.work), rank

    def _wider(self, ticket: Ticket, site: Site, error: ContextOverflow) -> bool:
        """Whether another endpoint's window may hold it."""
        ticket.failures[site.url] = EndpointUnavailable(str(error), error.remedy)
        return any(self._window(other) > self._window(site) for other in self._open_to(ticket))

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
        site = await self._admitted(ticket)
        try:
            if site.url not in self._no_batches:
                request = [replace(request, priority=PRIORITIES[lane]) for request in requests]
                return list(await self._transport.batch(request, site.url))
        except AgenticError as error:
            if isinstance(error, RequestRejected):
                self._no_batches.add(site.url)
        finally:
            site.leave(ticket.cost, lane)
            self._dispatch()
        return await gathered(self.submit, requests, lane)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._start(self._keep_watching())

    async def _keep_watching(self) -> None:
        """While there is work: what the endpoints say of themselves, whether silent ones are back, whether limits may grow."""
        try:
            while any(self._waiting.values()) or any(site.in_flight for site in self._sites):
                await asyncio.sleep(min(self._hold or WATCH_SECONDS, WATCH_SECONDS))
                for site in self._sites:
                    if site.due_for_probe:
                        self._start(self._ask_whether_back(site))
                    elif site.due_for_look(WATCH_SECONDS):
                        self._start(self._look_at(site))
                    if any(self._waiting.values()):
                        site.limit.judge()
                self._dispatch()
        finally:
            self._watching = False

    async def _look_at(self, site: Site) -> None:
        await self._load_of(site)
        await self._emit(site.seen())
        self._dispatch()

    async def _load_of(self, site: Site) -> None:
        if isinstance(self._transport, ReportsLoad):
            try:
                site.saw(await self._transport.load(site.url))
            except AgenticError:
                site.tells_nothing()

    async def _ask_whether_back(self, site: Site) -> None:
        """The half-open probe of a circuit breaker, and the first word with an endpoint."""
        site.probing()
        try:
            site.info = await self._transport.probe(site.url)
        except AgenticError:
            site.failed()
        else:
            site.answered()
            self._dispatch()

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _closable(stream: AsyncIterator[Delta]) -> AsyncGenerator[Delta, None]:
    return cast(AsyncGenerator[Delta, None], stream)


def _alike(request: ChatRequest, other: ChatRequest) -> bool:
    return not request.tools and replace(request, messages=other.messages) == other
