"""An eye on the endpoints while they work: how busy they are, whether silent ones are back, whether limits may grow."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from agentic import AgenticError, ReportsLoad, Transport
from agentic.events import EndpointSeen
from plugins_builtin.batching.places import Places
from plugins_builtin.batching.site import Site

WATCH_SECONDS = 0.5


class Watch:
    """Runs while there is work, and not a moment longer."""

    def __init__(
        self, transport: Transport, sites: Sequence[Site], tell: Callable[[EndpointSeen], Awaitable[None]], hold_seconds: float
    ) -> None:
        self._transport = transport
        self._sites = sites
        self._tell = tell
        self._turn_seconds = min(hold_seconds or WATCH_SECONDS, WATCH_SECONDS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False

    def begin(self, places: Places) -> None:
        if not self._running:
            self._running = True
            self.start(self._run(places))

    async def _run(self, places: Places) -> None:
        try:
            while places.in_use:
                await asyncio.sleep(self._turn_seconds)
                for site in self._sites:
                    if site.due_for_probe:
                        self.start(self.ask_whether_back(site))
                    elif site.due_for_look(WATCH_SECONDS):
                        self.start(self._look_at(site))
                    if places.wanted:
                        site.limit.judge()
                places.dispatch()
        finally:
            self._running = False

    async def _look_at(self, site: Site) -> None:
        await self.load_of(site)
        await self._tell(site.seen())

    async def load_of(self, site: Site) -> None:
        """Has the site know what the endpoint says of itself."""
        if isinstance(self._transport, ReportsLoad):
            try:
                site.saw(await self._transport.load(site.url))
            except AgenticError:
                site.tells_nothing()

    async def ask_whether_back(self, site: Site) -> None:
        """The half-open probe of a circuit breaker, and the first word with an endpoint."""
        site.probing()
        try:
            site.info = await self._transport.probe(site.url)
        except AgenticError:
            site.failed()
        else:
            site.answered()

    def start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """In the background, for as long as the loop lives."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
