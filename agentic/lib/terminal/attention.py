"""Telling a user who looks elsewhere: the bell, and OSC 9 for terminals that make a notification of it."""

import time
from collections.abc import Callable

from agentic.lib.sanitize import sanitize

LONG_SECONDS = 20.0  # a wait after which somebody looks elsewhere, where the terminal does not tell
TELL_FOCUS, TELL_NO_FOCUS = "\x1b[?1004h", "\x1b[?1004l"
FOCUS, NO_FOCUS = "\x1b[I", "\x1b[O"
MAX_TEXT = 120


class Attention:
    """The calls for one user's attention, which `tell` hears of, too.

    `has_focus` is what the terminal said last, None where it says nothing.
    """

    def __init__(self, write: Callable[[str], None], wanted: bool = True, tell: Callable[[str], None] = lambda text: None) -> None:
        self._write = write
        self._wanted = wanted
        self._tell = tell
        self._began = time.monotonic()
        self.has_focus: bool | None = None

    def begin(self) -> None:
        """The user waits from now on; the terminal is to say when its window gains and loses the focus."""
        self._began = time.monotonic()
        if self._wanted:
            self._write(TELL_FOCUS)

    def end(self) -> None:
        """The user is there."""
        if self._wanted:
            self._write(TELL_NO_FOCUS)

    def call(self, text: str) -> None:
        """Tells the user, unless the window has the focus."""
        waited = time.monotonic() - self._began
        if self._wanted and (self.has_focus is False or (self.has_focus is None and waited > LONG_SECONDS)):
            told = sanitize(" ".join(text.split()))[:MAX_TEXT]
            self._write(f"\x1b]9;{told}\x07\x07")
            self._tell(told)
