"""Output of others while the region is on the screen: whole lines of it stay above, and nothing is torn."""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from agentic.lib.sanitize import sanitize


class StrayLines(io.TextIOBase):
    """A stream in place of the terminal's; `write_rows` gets each line once it is whole."""

    def __init__(self, terminal: TextIO, write_rows: Callable[[Sequence[str]], None]) -> None:
        self._terminal = terminal
        self._write_rows = write_rows
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._terminal.encoding

    def isatty(self) -> bool:
        return self._terminal.isatty()

    def fileno(self) -> int:
        return self._terminal.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._write_rows([sanitize(line) for line in lines])
        return len(text)


@contextmanager
def stray_lines(write_rows: Callable[[Sequence[str]], None]) -> Iterator[None]:
    """Meanwhile what is printed stays above the region."""
    before = sys.stdout, sys.stderr
    stream = StrayLines(sys.__stderr__ or sys.stderr, write_rows)
    sys.stdout = sys.stderr = stream
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
