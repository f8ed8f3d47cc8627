"""Output that is shown while it comes."""

import time
from collections.abc import Callable

PROGRESS_SECONDS = 0.1
MAX_PROGRESS = 4_000  # characters


class Progress:
    """Passes on the end of what comes, a few times a second."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._waiting = ""
        self._shown = 0.0

    def __call__(self, text: str) -> None:
        self._waiting = (self._waiting + text)[-MAX_PROGRESS:]
        if time.monotonic() - self._shown > PROGRESS_SECONDS:
            self._shown = time.monotonic()
            text, self._waiting = self._waiting, ""
            self._show(text)
