"""An eye on the endpoints while they work: how busy they are, whether silent ones are back, whether limits may grow."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from agentic import AgenticError, ReportsLoad, Transport
from agentic.events import EndpointSeen
from agentic.lib.running import Board
from plugins_builtin.batching.endpoint import Endpoint
from plugins_builtin.batching.slots import Slots

POLL_SECONDS = 0.5
MOST_LOOKS = 40  # a second, at all endpoints together: a hundred are looked at every 2.5 s


class LoadMonitor:
    """Runs while there is work, and not a moment longer."""

    def __init__(
        self,
        transport: Transport,
        endpoints: Sequence[Endpoint],
        tell: Callable[[EndpointSeen], Awaitable[None]],
        hold_seconds: float,
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._tell = tell
        self._turn_seconds = min(hold_seconds or POLL_SECONDS, POLL_SECONDS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False
        self._board = Board()

    def begin(self, slots: Slots) -> None:
        if not self._running:
            self._running = True
            self.start(self._run(slots))

    async def _run(self, slots: Slots) -> None:
        try:
            while slots.in_use:
                await asyncio.sleep(self._turn_seconds)
                between = max(POLL_SECONDS, len(self._endpoints) / MOST_LOOKS)
                for endpoint in self._endpoints:
                    if endpoint.due_for_probe:
                        self.start(self.ask_whether_back(endpoint))
                    elif endpoint.due_for_look(between):
                        self.start(self._look_at(endpoint))
                    if slots.wanted:
                        endpoint.limit.judge()
                slots.dispatch()
        finally:
            self._running = False
            self._board.remove()

    async def _look_at(self, endpoint: Endpoint) -> None:
        await self.load_of(endpoint)
        if endpoint.closed:  # it failed meanwhile
            return
        seen = endpoint.seen()
        self._board.put(endpoint.url, seen.lanes)
        await self._tell(seen)

    async def stop(self) -> None:
        """Ends whatever runs."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def load_of(self, endpoint: Endpoint) -> None:
        """Has the endpoint know what the endpoint says of itself."""
        if isinstance(self._transport, ReportsLoad):
            try:
                endpoint.saw(await self._transport.load(endpoint.url))
            except AgenticError:
                endpoint.tells_nothing()

    async def ask_whether_back(self, endpoint: Endpoint) -> None:
        """The half-open probe of a circuit breaker, and the first word with an endpoint."""
        endpoint.probing()
        try:
            endpoint.info = await self._transport.probe(endpoint.url)
        except AgenticError:
            endpoint.failed()
        else:
            endpoint.answered()

    def start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """In the background, for as long as the loop lives."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
