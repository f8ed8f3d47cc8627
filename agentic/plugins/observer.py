"""An observer's queue of events: what it does with one never slows the run down."""

import asyncio
from typing import TYPE_CHECKING

from agentic.events import Event
from agentic.plugins.host import Implementation

if TYPE_CHECKING:
    from agentic.plugins.dispatcher import Dispatcher

MAX_WAITING = 1000  # events before an observer's queue; what comes on top of them it does not see


class Observer:
    """A plugin's queue of events, and the task that empties it."""

    def __init__(self, dispatcher: "Dispatcher", each: Implementation) -> None:
        self.wants_chunks = dispatcher.wants_chunks(each)
        self.task: asyncio.Task[None] | None = None
        self._dispatcher = dispatcher
        self._each = each
        self._left_out = 0
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def put(self, event: Event) -> None:
        if self.task is None:
            self.task = asyncio.ensure_future(self._run())
        if self._queue.qsize() < MAX_WAITING:
            self._queue.put_nowait(event)
        else:
            self._left_out += 1

    def end(self) -> None:
        self._queue.put_nowait(None)

    async def _run(self) -> None:
        try:
            while (event := await self._queue.get()) is not None:
                await self._dispatcher.observe(self._each, event)
        finally:
            if lost := self._left_out + max(0, self._queue.qsize() - 1):
                self._dispatcher.lost(self._each, lost)
