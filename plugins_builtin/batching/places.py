"""Which request gets which place: by urgency, to where its prefix is cached, never to where it does not fit."""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agentic import ChatRequest, EndpointUnavailable, Lane, PartialAnswer
from plugins_builtin.batching.site import URGENCY, Site, Work


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way. `home_until` is how long it waits for the endpoint that has its prefix; `cost` is of its present place.

    `last` is the endpoint it was at, `failures` those that are out of the question now; `seen` is how much of its answer had come
    when they got a second chance; `exact` whether the rest may be asked for by token numbers.
    """

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


class Places:
    """The endpoints' places and who waits for them. `on_work` is called whenever there is something to do."""

    def __init__(self, sites: Sequence[Site], on_work: Callable[[], None]) -> None:
        self._sites = sites
        self._on_work = on_work
        self._waiting: dict[Lane, deque[Ticket]] = {lane: deque() for lane in sorted(Lane, key=URGENCY.__getitem__)}

    @property
    def wanted(self) -> bool:
        """Whether anybody waits."""
        return any(self._waiting.values())

    @property
    def in_use(self) -> bool:
        """Whether anybody waits or is being served."""
        return self.wanted or any(site.in_flight for site in self._sites)

    def home(self, ticket: Ticket) -> Site:
        """Where it would go now, had every endpoint a place."""
        return min(self.open_to(ticket), key=lambda site: _cost(ticket, site))

    async def take(self, ticket: Ticket) -> Site:
        """The endpoint that has a place for it; the place is taken then."""
        ticket.place = asyncio.get_running_loop().create_future()
        self._waiting[ticket.lane].append(ticket)
        self.dispatch()
        try:
            return await ticket.place
        except asyncio.CancelledError:
            if ticket.place.done() and not ticket.place.cancelled() and not ticket.place.exception():
                self.leave(ticket, ticket.place.result())
            raise
        finally:
            if ticket in self._waiting[ticket.lane]:
                self._waiting[ticket.lane].remove(ticket)

    def dispatch(self) -> None:
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
                    self.enter(ticket, site)
                    ticket.place.set_result(site)
        if self.in_use:
            self._on_work()

    def _place_for(self, ticket: Ticket) -> Site | None:
        """The cheapest endpoint, or while its prefix there is worth waiting for, none; then any that has a place."""
        ranked = sorted(self.open_to(ticket), key=lambda site: _cost(ticket, site))
        if (
            ranked
            and not ranked[0].has_place(ticket.lane)
            and ranked[0].saved(ticket.work)
            and time.monotonic() < ticket.home_until
        ):
            return None
        return next((site for site in ranked if site.has_place(ticket.lane)), None)

    def open_to(self, ticket: Ticket) -> list[Site]:
        """Those that answer, that it fits and where it has not failed; of those with its model, where there are any."""
        left = [site for site in self._sites if site.url not in ticket.failures]
        answering = [site for site in left if not site.closed] or left
        fitting = [site for site in answering if site.fits(ticket.work)] or answering
        model = next((site.info.model for site in self._sites if site.info is not None), "")
        return [site for site in fitting if site.info is not None and site.info.model == model] or fitting

    def enter(self, ticket: Ticket, site: Site) -> None:
        """Takes a place there."""
        ticket.cost = site.enter(ticket.work, ticket.lane)

    def leave(self, ticket: Ticket, site: Site) -> None:
        """Gives its place back, to the next."""
        site.leave(ticket.cost, ticket.lane)
        self.dispatch()


def _cost(ticket: Ticket, site: Site) -> tuple[bool, int, int]:
    """Tokens until it would be served there, less what its cache saves; equal ones by rendezvous hashing.

    Sub-agents first go where they begin in the cache, while a batch fills there.
    """
    key = ticket.work.keys[0][0]
    rank = int.from_bytes(hashlib.blake2b(f"{site.url}\0{key}".encode("utf-8", "replace"), digest_size=8).digest(), "big")
    away = ticket.lane is Lane.SUB_AGENT and not site.welcomes(ticket.work)
    return away, site.outstanding - site.saved(ticket.work), rank
