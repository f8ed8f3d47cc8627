"""The event loop: many streams are looked at once a millisecond, not once for every chunk of each of them."""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

MANY = 8  # connections; fewer are served the moment something comes
TICK_SECONDS = 0.001


class _Patient(selectors.DefaultSelector):
    """Waking up is what a chunk costs (benchmarks/streaming.py): with 64 streams this halves our CPU use."""

    def __init__(self) -> None:
        super().__init__()
        self._looked = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if (timeout is None or timeout > 0) and len(self.get_map()) > MANY:
            early = self._looked + TICK_SECONDS - time.monotonic()
            if early > 0:
                time.sleep(early)
        events = super().select(timeout)
        self._looked = time.monotonic()
        return events


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on that loop."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_Patient())) as runner:
        return runner.run(main)
