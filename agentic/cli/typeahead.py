"""What is typed while the agent works: shown below its text, kept until the turn is over."""

import asyncio
import codecs
import os
import re
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O.|.)?")
_ERASERS = {"\x15": "", "\x17": r"\S*\s*$", "\x7f": r".$", "\b": r".$"}


class Typeahead:
    """Reads the keyboard while a turn runs. `lines` were finished with Enter, `text` was not, and
    `leaving` is what Ctrl-D asked for; `show` gets what is to be seen."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.lines: list[str] = []
        self.text = ""
        self.leaving = False
        self._lent = False

    def take_lines(self) -> str:
        """The finished lines as one message."""
        taken, self.lines = "\n".join(self.lines), []
        return taken

    def take_text(self) -> str:
        """The beginning of the next message."""
        taken, self.text = self.text, ""
        return taken

    @contextmanager
    def owning_the_keyboard(self) -> Iterator[None]:
        """No echo and no line mode from here on, so that a key typed between two readers is lost to neither."""
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        self._own(descriptor)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCONT, self._own, descriptor)  # the shell had it meanwhile
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGCONT)
            with suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(descriptor, termios.TCSANOW, before)

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
        for character in _ESCAPE.sub("", self._decoder.decode(data)):
            if character in "\r\n":
                self.lines += [self.text] if self.text.strip() else []
                self.text = ""
            elif character == "\x04":
                self.leaving = not self.text
            elif character in _ERASERS:
                self.text = re.sub(_ERASERS[character], "", self.text, flags=re.DOTALL) if _ERASERS[character] else ""
            elif character.isprintable():
                self.text += character
        waiting = f"queued: {' ⏎ '.join(self.lines)} " if self.lines else ""
        self._show(f"{waiting}› {self.text}" if self.text else waiting.rstrip())
