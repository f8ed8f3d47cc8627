"""Lines for a step, a result and an end, as a terminal shows them."""

import os
from collections import deque
from collections.abc import Sequence
from typing import TextIO

from rich.cells import set_cell_size
from rich.console import Console

from agentic.events import ToolResult
from agentic.lib.diff import painted
from agentic.lib.palette import Palette
from agentic.lib.sanitize import sanitize
from plugins_builtin.screen.words import one_line

OUTPUT_LINES = 3  # of a command that are shown, while it runs and when it is over
DIFF_LINES = 24  # of an edit that are shown
_STEPS = {"open": ("☐", "[ ]", "plain"), "doing": ("▸", "[>]", "bold"), "done": ("☑", "[x]", "dim")}


def console(stdout: TextIO) -> Console:
    """The console of a terminal. Its own size counts: COLUMNS of the environment may be that of before it was resized."""
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return Console(file=stdout, highlight=False, markup=False, emoji=False, _environ=environment)


def body(event: ToolResult, asked: str, palette: Palette) -> tuple[list[str], Sequence[str]]:
    """(the lines below a call's line, all of them where there are more). The difference that was `asked` about stands above."""
    if event.diff and event.diff == asked:
        return [], ()
    if event.diff:
        lines = list(painted(event.diff, palette))[1:]  # its line has the name
        return _shortened(lines, lines[:DIFF_LINES], palette)
    if event.exit_code is None:
        return [], ()
    lines = [f"  {palette.paint('dim', sanitize(line))}" for line in event.text.rstrip().split("\n")[:-1]]
    return _shortened(lines, lines[-OUTPUT_LINES:], palette)


def _shortened(lines: Sequence[str], shown: Sequence[str], palette: Palette) -> tuple[list[str], Sequence[str]]:
    if len(lines) == len(shown):
        return list(shown), ()
    more = palette.paint("dim", f"  ({len(lines) - len(shown)} more lines: Ctrl-O)")
    return [*shown, more] if lines[0] is shown[0] else [more, *shown], lines


def step(text: str, state: str, palette: Palette) -> str:
    """A step of the model's list, with its sign."""
    mark, instead, role = _STEPS.get(state, (" ", " ", "plain"))
    return palette.paint(role, f"  {palette.mark(mark, instead)} {one_line(text)}")


def mark_of(status: str, palette: Palette) -> tuple[str, str]:
    """(a run's sign, its colour): what nothing has checked is neither right nor wrong."""
    if status == "unchecked":
        return palette.mark("•", "-"), "warning"
    return (palette.mark("✓", "+"), "good") if status == "done" else (palette.mark("✗", "x"), "bad")


def last_lines(tail: str, width: int) -> list[str]:
    """The last lines of what the running command gave out, as they are now."""
    lines = deque((line for line in tail.replace("\r\n", "\n").split("\n") if line.strip()), OUTPUT_LINES)
    return [set_cell_size(f"  {sanitize(line.rpartition(chr(13))[2])}", width).rstrip() for line in lines]
