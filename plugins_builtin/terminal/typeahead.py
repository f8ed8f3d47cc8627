"""The text typed while the agent works: shown below the agent's own, given to the agent, or kept until the turn is over."""

import asyncio
import os
import re
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field

from agentic.lib.record import record
from agentic.lib.terminal import keyboard
from agentic.lib.terminal.attention import FOCUS, NO_FOCUS
from agentic.lib.terminal.keys import ESCAPE_SECONDS, Keys, Paste, Replies

_ERASERS = {"\x15": r".*$", "\x17": r"\S*\s*$", "\x7f": r".$", "\b": r".$"}
MAX_SHOWN = 400  # characters of what was typed
_UP = ("\x1b[A", "\x1bOA")
_SHOW_ALL = "\x0f"  # Ctrl-O
_DELIVERED_LATER = ("\x1b\r", "\x1b\n")  # Alt-Enter


@record(slots=True)
class Typeahead:
    """Reads the keyboard while a turn runs.

    `lines` were finished with Enter: they are for the agent at once; those `after` are for the next turn. `text` is not finished,
    and `leaving` is what Ctrl-D asked for. `show` gets what is to be seen, `stop` is called for Escape, `unfold` for Ctrl-O, and
    `focus` when the terminal's window gains the focus, or loses it. `replies` holds what is there of a terminal's reply.
    """

    show: Callable[[str], None]
    stop: Callable[[], None] = lambda: None
    unfold: Callable[[], None] = lambda: None
    focus: Callable[[bool], None] = lambda has_it: None
    lines: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    text: str = ""
    leaving: bool = False
    replies: Replies = field(default_factory=Replies)
    _keys: Keys = field(init=False)
    _lent: bool = False
    _flushing: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self._keys = Keys(self.replies)

    def take_lines(self) -> str:
        """Takes the lines that are for the agent now, and returns them as one message."""
        taken, self.lines = "\n".join(self.lines), []
        if taken:
            self._show()
        return taken

    def take_next(self) -> str:
        """The next turn's message: all that was finished."""
        self.lines, self.after = [*self.lines, *self.after], []
        return self.take_lines()

    def take_text(self) -> str:
        """The beginning of the next message."""
        taken, self.text = self.text, ""
        return taken

    def take_back(self) -> None:
        """All that was finished and not delivered is to be edited again."""
        self.text = "\n".join([*self.lines, *self.after, *([self.text] if self.text else [])])
        self.lines, self.after = [], []

    @contextmanager
    def owning_the_keyboard(self) -> Iterator[None]:
        """No echo and no line mode from here on, so that a key typed between two readers is lost to neither."""
        loop = asyncio.get_running_loop()
        with keyboard.single_keys():
            loop.add_signal_handler(signal.SIGCONT, self._own, sys.stdin.fileno())  # the shell had it meanwhile
            try:
                yield
            finally:
                loop.remove_signal_handler(signal.SIGCONT)

    def _own(self, descriptor: int) -> None:
        if not self._lent:
            with suppress(termios.error):
                tty.setcbreak(descriptor, termios.TCSANOW)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Reads what is typed; Ctrl-C goes on meaning what it services."""
        loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
        loop.add_reader(descriptor, self._read, descriptor)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While somebody else asks the user something."""
        loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
        loop.remove_reader(descriptor)
        self._lent = True
        try:
            yield
        finally:
            self._lent = False
            self._own(descriptor)
            loop.add_reader(descriptor, self._read, descriptor)

    def _read(self, descriptor: int) -> None:
        try:
            self.feed(os.read(descriptor, 4096))
        except OSError:  # the terminal is gone; its signal is on the way
            asyncio.get_running_loop().remove_reader(descriptor)

    def feed(self, data: bytes) -> None:
        """Keys, as a terminal sends them."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._press_all(self._keys.feed(data))
        if self.replies.is_waiting:
            with suppress(RuntimeError):  # no loop: what is fed at once is whole
                self._flushing = asyncio.get_running_loop().call_later(ESCAPE_SECONDS, self.flush)

    def flush(self) -> None:
        """Nothing has followed an escape: it was the key."""
        self._press_all(self._keys.flush())

    def _press_all(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._press(key)
        self._show()

    def _press(self, key: str) -> None:
        if isinstance(key, Paste):
            self.text += key
        elif key in _DELIVERED_LATER or key in "\r\n":
            (self.lines if key in "\r\n" else self.after).extend([self.text] if self.text.strip() else [])
            self.text = ""
        elif key in _UP:
            self._take_back_last()
        elif key in ("\x1b", "\x03"):
            self.stop()
        elif key in (FOCUS, NO_FOCUS):
            self.focus(key == FOCUS)
        elif key == _SHOW_ALL:
            self.unfold()
        elif key == "\x04":
            self.leaving = not self.text
        elif key in _ERASERS:
            self.text = re.sub(_ERASERS[key], "", self.text, count=1, flags=re.DOTALL)
        elif key.isprintable():
            self.text += key

    def _take_back_last(self) -> None:
        queue = self.after or self.lines
        if queue and not self.text:
            self.text = queue.pop()

    def _show(self) -> None:
        queued = [f"queued: {_brief(self.lines)}"] if self.lines else []
        queued += [f"after this turn: {_brief(self.after)}"] if self.after else []
        self.show(" ".join([*queued, *([f"› {_brief([self.text])}"] if self.text else [])]))


def _brief(texts: Sequence[str]) -> str:
    """In one line, and no longer than anybody reads there: what was typed last."""
    text = " ⏎ ".join(texts).replace("\n", " ⏎ ").replace("\t", " ")
    return text if len(text) <= MAX_SHOWN else f"… {text[-MAX_SHOWN:]}"
