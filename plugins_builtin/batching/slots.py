"""Which request gets which slot: by urgency, to where its prefix is cached, never to where it does not fit."""

import asyncio
import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import lru_cache, partial

from agentic import ChatRequest, EndpointUnavailable, Lane, PartialAnswer
from agentic.lib.record import record
from plugins_builtin.batching.endpoint import URGENCY, Cost, Endpoint


@record(slots=True, eq=False)
class PendingRequest:
    """A request on its way. `home_until` is how long it waits for the endpoint that has its prefix; `cost` is of its present slot.

    `last` is the endpoint it was at and `why` it is not there any more, `failures` those that are out of the question now; `seen`
    is how much of its answer had come when it was sent last; `exact` whether the rest may be asked for by token numbers. `broke`
    are those that broke off without a word, `ended` how often one of them was gone then.
    """

    request: ChatRequest
    lane: Lane
    work: Cost
    home_until: float
    received: PartialAnswer = field(default_factory=PartialAnswer)
    failures: dict[str, EndpointUnavailable] = field(default_factory=dict)
    refusals: int = 0
    last: str = ""
    why: str = ""
    seen: int = 0
    broke: set[str] = field(default_factory=set)
    ended: int = 0
    exact: bool = True
    cost: int = 0
    slot: "asyncio.Future[Endpoint] | None" = None

    def note_gone(self, url: str) -> None:
        """A server cannot be reached: if it had just broken this request off, it may have ended over it."""
        self.ended += url in self.broke
        self.broke.discard(url)


class Slots:
    """The endpoints' slots and who waits for them. `on_work` is called whenever there is something to do."""

    def __init__(self, endpoints: Sequence[Endpoint], on_work: Callable[[], None]) -> None:
        self._endpoints = endpoints
        self._on_work = on_work
        self._waiting: dict[Lane, deque[PendingRequest]] = {lane: deque() for lane in sorted(Lane, key=URGENCY.__getitem__)}

    @property
    def wanted(self) -> bool:
        """True if anybody waits."""
        return any(self._waiting.values())

    @property
    def in_use(self) -> bool:
        """True if anybody waits or is being served."""
        return self.wanted or any(endpoint.in_flight for endpoint in self._endpoints)

    def home(self, pending: PendingRequest) -> Endpoint:
        """Returns the endpoint that the request would go to now if every endpoint had a slot."""
        return min(self.open_to(pending), key=lambda endpoint: _cost(pending, endpoint))

    async def take(self, pending: PendingRequest) -> Endpoint:
        """The endpoint that has a slot for it; the slot is taken then."""
        pending.slot = asyncio.get_running_loop().create_future()
        self._waiting[pending.lane].append(pending)
        self.dispatch()
        try:
            return await pending.slot
        except asyncio.CancelledError:
            if pending.slot.done() and not pending.slot.cancelled() and not pending.slot.exception():
                self.leave(pending, pending.slot.result())
            raise
        finally:
            if pending in self._waiting[pending.lane]:
                self._waiting[pending.lane].remove(pending)

    def dispatch(self) -> None:
        """Gives every slot that is free to the most urgent request that may have it."""
        usual = self._usual() if self.wanted else []
        least = min((endpoint.window for endpoint in usual if endpoint.window), default=math.inf)
        for lane, queue in self._waiting.items():
            if not queue:
                continue
            free = [endpoint for endpoint in usual if endpoint.has_slot(lane)]
            for pending in list(queue):
                assert pending.slot is not None
                if pending.slot.done():
                    queue.remove(pending)
                elif (endpoint := self._slot_for(pending, usual if pending.work.prompt <= least else (), free)) is not None:
                    queue.remove(pending)
                    self.enter(pending, endpoint)
                    pending.slot.set_result(endpoint)
                    free = [each for each in free if each is not endpoint or each.has_slot(lane)]
        if self.in_use:
            self._on_work()

    def _slot_for(self, pending: PendingRequest, usual: Sequence[Endpoint], free: Sequence[Endpoint]) -> Endpoint | None:
        """The cheapest endpoint, or while its prefix there is worth waiting for, none; then any that has a slot.

        `usual` are the endpoints of most requests, none where it may not fit into all of them, and `free` those of them that have a
        slot: with many endpoints and many that wait, looking at all for each would take longer than the answers.
        """
        if pending.failures or pending.request.role or not usual:
            usual = self.open_to(pending)
            free = [endpoint for endpoint in usual if endpoint.has_slot(pending.lane)]
        if not free:
            return None
        cost = partial(_cost, pending)
        if time.monotonic() < pending.home_until:
            home = min(usual, key=cost)
            if home.has_slot(pending.lane):
                return home
            if home.saved(pending.work):
                return None
        return min(free, key=cost)

    def _usual(self) -> list[Endpoint]:
        """Returns the endpoints that answer with the first one's model, as `open_to` does for a short request that never failed."""
        return self._of_one_model([endpoint for endpoint in self._endpoints if not endpoint.closed] or list(self._endpoints))

    def open_to(self, pending: PendingRequest) -> list[Endpoint]:
        """Returns the endpoints that answer, that the request fits and where it has not failed.

        Of these it takes the ones with the model of the request's role, or the usual model, where there are any.
        """
        left = [endpoint for endpoint in self._endpoints if endpoint.url not in pending.failures]
        answering = [endpoint for endpoint in left if not endpoint.closed] or left
        if pending.request.role and (serving := _in_the_role(pending.request, answering)):
            return serving
        return self._of_one_model([endpoint for endpoint in answering if endpoint.fits(pending.work)] or answering)

    def _of_one_model(self, endpoints: list[Endpoint]) -> list[Endpoint]:
        model = next((endpoint.info.model for endpoint in self._endpoints if endpoint.info is not None), "")
        return [endpoint for endpoint in endpoints if endpoint.info is not None and endpoint.info.model == model] or endpoints

    def enter(self, pending: PendingRequest, endpoint: Endpoint) -> None:
        """Takes a slot there."""
        pending.cost = endpoint.enter(pending.work, pending.lane)

    def leave(self, pending: PendingRequest, endpoint: Endpoint) -> None:
        """Gives its slot back, to the next."""
        endpoint.leave(pending.cost, pending.lane)
        self.dispatch()


def _in_the_role(request: ChatRequest, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Returns the endpoints that the request's role is for; none where its model is not served."""
    named = [endpoint for endpoint in endpoints if endpoint.url == request.endpoint]
    return [endpoint for endpoint in named or endpoints if endpoint.serves(request.model)] if named or request.model else []


def _cost(pending: PendingRequest, endpoint: Endpoint) -> tuple[bool, float, int]:
    """Tokens until it would be served there, by its weight, less what its cache saves; equal ones by rendezvous hashing.

    Sub-agents first go where they begin in the cache, while a batch fills there.
    """
    rank = _rank(endpoint.url, pending.work.keys[0][0])
    away = pending.lane is Lane.SUB_AGENT and not endpoint.welcomes(pending.work)
    return away, endpoint.outstanding / endpoint.weight - endpoint.saved(pending.work), rank


@lru_cache(maxsize=4096)  # its keys hold whole system texts
def _rank(url: str, key: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{url}\0{key}".encode("utf-8", "replace"), digest_size=8).digest(), "big")
