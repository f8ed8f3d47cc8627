"""Blocks of the conversation as rows that stay: what was said, what was done, what came of it."""

from collections import deque
from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size

from agentic.events import ToolResult
from agentic.lib.diff import TO_END, counts, painted
from agentic.lib.palette import RESET, Palette
from agentic.lib.sanitize import sanitize
from plugins_builtin.terminal.highlight import highlighter_of
from plugins_builtin.terminal.words import one_line

OUTPUT_LINES = 5  # of a command that are shown, while it runs and when it is over
DIFF_LINES = 24  # of an edit that are shown
MAX_CALL = 80  # characters
_STEPS = {"open": ("☐", "[ ]", "plain"), "doing": ("▸", "[>]", "bold"), "done": ("☑", "[x]", "dim")}


def message_rows(text: str, palette: Palette) -> list[str]:
    """A message of the user's: each of its lines on a background, unbroken, so that it is copied as it was."""
    mark = palette.mark("› ", "> ")
    lines = sanitize(text).split("\n")
    if not palette.user_back:
        return [palette.paint("bold", f"{mark if not number else '  '}{line}") for number, line in enumerate(lines)]
    return [
        f"{palette.user_back}{palette.accent}{mark if not number else '  '}{RESET}{palette.user_back}{line}{TO_END}{RESET}"
        for number, line in enumerate(lines)
    ]


def call_row(event: ToolResult, call: str, said_of_it: str, palette: Palette) -> str:
    """The row of a call: a sign, its name and argument, and what came of it."""
    mark = palette.mark("✗", "x") if event.failed else palette.mark("●", "*")
    name, _, argument = one_line(call, MAX_CALL).partition(" ")
    more = "" if not event.diff else changed_lines(event.diff, palette)
    words = [palette.paint("bad" if event.failed else "good", mark), palette.paint("bold", name), argument, more]
    return " ".join(filter(None, [*words, palette.paint("bad" if event.failed else "dim", one_line(said_of_it, 120))]))


def changed_lines(diff: str, palette: Palette) -> str:
    """+12 -3"""
    added, removed = counts(diff)
    shown = [palette.paint("added", f"+{added}") if added else "", palette.paint("removed", f"-{removed}") if removed else ""]
    return " ".join(filter(None, shown))


def body(event: ToolResult, asked: str, palette: Palette) -> tuple[list[str], Sequence[str]]:
    """(the rows below a call's, all of them where there are more). The difference that was `asked` about stands above."""
    if event.diff and event.diff == asked:
        return [], ()
    if event.diff:
        rows = difference_rows(event.diff, palette)[1:]  # its row has the name
        return _shortened(rows, rows[:DIFF_LINES], palette)
    if event.exit_code is None:
        return [], ()
    rows = [palette.paint("dim", sanitize(line)) for line in event.text.rstrip().split("\n")[:-1]]
    return _shortened(rows, rows[-OUTPUT_LINES:], palette)


def difference_rows(diff: str, palette: Palette, safe: Callable[[str], str] = sanitize) -> list[str]:
    """A difference with line numbers, backgrounds, marked words, and the colours of its language."""
    return list(painted(diff, palette, safe, lambda path: highlighter_of(path, palette).line))


def _shortened(rows: Sequence[str], shown: Sequence[str], palette: Palette) -> tuple[list[str], Sequence[str]]:
    if len(rows) == len(shown):
        return list(shown), ()
    more = palette.paint("dim", f"… {len(rows) - len(shown)} more lines (Ctrl-O)")
    return [*shown, more] if rows[0] is shown[0] else [more, *shown], rows


def step(text: str, state: str, palette: Palette) -> str:
    """A step of the model's list, with its sign."""
    mark, instead, role = _STEPS.get(state, (" ", " ", "plain"))
    return palette.paint(role, f"{palette.mark(mark, instead)} {one_line(text)}")


def mark_of(status: str, palette: Palette) -> tuple[str, str]:
    """(a run's sign, its colour): what nothing has checked is neither right nor wrong."""
    if status == "unchecked":
        return palette.mark("•", "-"), "warning"
    return (palette.mark("✓", "+"), "good") if status == "done" else (palette.mark("✗", "x"), "bad")


def last_rows(text: str, width: int, count: int = OUTPUT_LINES) -> list[str]:
    """The last lines of what a running command gave out, as they are now."""
    lines = deque((line for line in text.replace("\r\n", "\n").split("\n") if line.strip()), count)
    return [cut(f"  {sanitize(line.rpartition(chr(13))[2])}", width) for line in lines]


def cut(text: str, width: int) -> str:
    """The text in at most that many cells."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + "…"
