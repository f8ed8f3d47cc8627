"""When frames are drawn: soon after there is something new, and never closer together than the eye needs."""

import asyncio
import time
from collections.abc import Callable

FRAME_SECONDS = 0.036  # between two frames: 28 a second, and nothing waits 50 ms with the drawing of one


class FramePace:
    """Calls `draw` for each frame."""

    def __init__(self, draw: Callable[[], None]) -> None:
        self._draw = draw
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    def soon(self) -> None:
        """Draws once it is time; at once where no loop runs."""
        if self._timer is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.now()
            return
        self._timer = loop.call_later(max(0.0, self._last + FRAME_SECONDS - time.monotonic()), self.now)

    def now(self) -> None:
        """Draws a frame, the one that was to come soon."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._last = time.monotonic()
        self._draw()
