"""A live region below the text, for commands that read no input: each frame is one write, within a synchronised update."""

import os
from collections.abc import Callable, Sequence
from typing import TextIO

from rich.cells import cell_len

from agentic.lib.palette import without_codes
from plugins_builtin.terminal.codes import BEGIN_FRAME, END_FRAME, in_ascii
from plugins_builtin.terminal.pace import FramePace

_ERASE_BELOW = "\x1b[J"


class Below:
    """Rows that stay go above the region, once. `live(width, height)` gives the region's rows."""

    def __init__(self, stdout: TextIO, ascii_only: bool = False) -> None:
        self._out = stdout
        self._fit = in_ascii if ascii_only else str
        self._live: Callable[[int, int], Sequence[str]] = lambda width, height: ()
        self._pending: list[str] = []
        self._drawn: list[int] = []  # the cells of each row of the region
        self._pace = FramePace(self._draw)
        self._is_held = False

    @property
    def size(self) -> tuple[int, int]:
        return size_of(self._out)

    def show_live(self, live: Callable[[int, int], Sequence[str]]) -> None:
        """Shows these rows from now on."""
        self._live = live

    def write(self, rows: Sequence[str]) -> None:
        """Rows that stay."""
        self._pending += rows
        self.refresh()

    def refresh(self) -> None:
        """Draws a frame soon."""
        self._pace.soon()

    def hold(self) -> None:
        """Nothing is live until `go_on`: somebody else writes."""
        self._is_held = True
        self._pace.now()

    def go_on(self) -> None:
        self._is_held = False
        self.refresh()

    def _draw(self) -> None:
        """Draws what there is, in one write."""
        columns, lines = self.size
        rows = [] if self._is_held else [self._fit(row) for row in self._live(columns - 1, lines)]
        text = self._erased(columns) + "".join(f"{self._fit(row)}\r\n" for row in self._pending) + "\r\n".join(rows)
        self._pending, self._drawn = [], [cell_len(without_codes(row)) for row in rows]
        if text:
            self._out.write(f"{BEGIN_FRAME}{text}{END_FRAME}")
            self._out.flush()

    def _erased(self, columns: int) -> str:
        """Returns what takes the region away; a terminal that became narrower has broken its rows."""
        rows = sum(max(1, -(-cells // columns)) for cells in self._drawn)
        up = f"\x1b[{rows - 1}A" if rows > 1 else ""
        return f"\r{up}{_ERASE_BELOW}" if rows else ""

    def close(self) -> None:
        """Leaves what stays."""
        self.hold()


def size_of(out: TextIO) -> tuple[int, int]:
    """(columns, lines). The terminal's own: COLUMNS of the environment may be that of before it was resized."""
    try:
        columns, lines = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        columns = lines = 0
    return columns or 80, lines or 24  # a serial line says 0
