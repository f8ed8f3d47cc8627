"""Markdown as it streams, in rows for the screen: those that are final, and the tail that may still change.

The same text gives the same rows however it is cut. Prose is wrapped at words; code is left as it is, to be copied so.
"""

import re
from collections.abc import Callable

from rich.cells import cell_len

from agentic.lib.palette import PLAIN, RESET, Palette
from agentic.lib.record import record
from plugins_builtin.terminal.highlight import Highlighter
from plugins_builtin.terminal.inline import pieces_of
from plugins_builtin.terminal.tables import is_table, table
from plugins_builtin.terminal.wrapping import ScreenRow, rows_of

MAX_ROWS = 200  # of a table that is lined up; a longer one is shown as it comes
MAX_INDENT = 24
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6}) +")
_ITEM = re.compile(r"( *)([-*+]|\d{1,9}[.)]) +(?:\[([ xX])\] +)?")
_QUOTE = re.compile(r" {0,3}>[> ]*")
_RULE = re.compile(r" {0,3}([-*_])(?: *\1){2,} *$")
# The beginning of a line that may still become any of these.
_UNDECIDED = re.compile(r" *(?:`{0,2}|~{0,2}|#{0,6} *|[-*+_ ]*|\d{0,9}[.)]? *|(?:[-*+]|\d{1,9}[.)]) +\[?[ xX]?\]? *|>[> ]*)$")


@record(frozen=True, slots=True)
class ProseLine:
    """A line of prose: where its text begins, what stands before its first row and the later ones, in which style."""

    start: int
    first: str = ""
    later: str = ""
    style: str = ""


class Prose:
    """Feed it text. `width` gives the columns; without `wraps` the terminal breaks the rows."""

    def __init__(self, palette: Palette = PLAIN, width: Callable[[], int] = lambda: 80, wraps: bool = True) -> None:
        self._palette = palette
        self._width = width
        self._wraps = wraps
        self._made: tuple[object, tuple[list[ScreenRow], int]] = (None, ([], 0))
        self._reset()

    def _reset(self) -> None:
        self._line = ""  # the source's current one, without what is final
        self._kind: ProseLine | None = None  # of that line, once some of it is final
        self._fence = ""
        self._code: Highlighter | None = None
        self._table: list[str] = []
        self._is_blank = True  # the row before; also at the beginning
        self._blanks = 0  # that wait for a line to follow
        self._longer = 0  # characters of the line, before which none of its rows can become final

    @property
    def is_open(self) -> bool:
        """True in the middle of a line, a table or code."""
        return bool(self._line or self._kind or self._fence or self._table)

    def feed(self, text: str) -> list[str]:
        """The rows that are final now."""
        out: list[str] = []
        *whole, rest = text.replace("\r", "").split("\n")
        for part in whole:
            self._line += self._spaced(part)
            out += self._ended()
        self._line += self._spaced(rest)
        return out + self._stable()

    def _spaced(self, part: str) -> str:
        """A part of a line without tabs, whose width depends on where they stand; those of code are for when it is whole."""
        return part if self._fence else part.replace("\t", "    ")

    def end(self) -> list[str]:
        """The rows that were left. What comes next is another text."""
        out = self._ended() if self._line or self._kind else []
        out += self._table_over()
        self._reset()
        return out

    def tail(self) -> list[str]:
        """The rows that may still change."""
        if self._fence:
            return [f"{self._palette.code}{self._line.expandtabs(4)}{RESET if self._palette.code else ''}"] if self._line else []
        if self._table:
            return [*self._table, self._line] if self._line else list(self._table)
        if not self._line and self._kind is None:
            return []
        return [row.text for row in self._rows(is_over=False)[0]]

    def _stable(self) -> list[str]:
        """The rows of the current line to which nothing can be added."""
        if not self._wraps or self._fence or self._table or not self._line or self._line.lstrip(" ").startswith("|"):
            return []
        if len(self._line) < self._longer or (self._kind is None and (_UNDECIDED.match(self._line) or _FENCE.match(self._line))):
            return []
        rows, open_at = self._rows(is_over=False)
        final = next((n for n, row in enumerate(rows) if row.start > open_at), len(rows)) - 1
        while final > 0 and rows[final].inside:  # a cut there would fall into a span
            final -= 1
        if final <= 0:
            self._longer = len(self._line) * 9 // 8  # a line that stays open is not read anew with each of its tokens
            return []
        self._longer = 0
        out = [*self._blank_before(), *(row.text for row in rows[:final])]
        line = self._kind or self._kind_of(self._line)
        self._line, self._kind = self._line[rows[final].start :], ProseLine(0, line.later, line.later, line.style)
        return out

    def _rows(self, is_over: bool) -> tuple[list[ScreenRow], int]:
        """(the rows of the current line, from where on the source may still mean something else)"""
        key = (self._line, self._kind, self._width(), is_over)
        if self._made[0] != key:
            self._made = key, self._make_rows(is_over)
        return self._made[1]

    def _make_rows(self, is_over: bool) -> tuple[list[ScreenRow], int]:
        line = self._kind or self._kind_of(self._line)
        source = self._line[line.start :]
        pieces, open_at = pieces_of(source, self._palette, is_over)
        rows = rows_of(pieces, self._width() if self._wraps else 1 << 30, line.first, line.later)
        shown = [ScreenRow(_styled(row.text, line.style), row.start + line.start, row.inside) for row in rows]
        return shown, open_at + line.start

    def _ended(self) -> list[str]:
        """The rows of a line that is over."""
        line, kind = self._line, self._kind
        self._longer = 0
        if kind is None and self._fence:
            return self._code_line()
        if kind is None and line.lstrip(" ").startswith("|") and len(self._table) < MAX_ROWS:
            self._line = ""
            self._table.append(line.strip())
            return []
        out = self._table_over()
        if kind is None and not line.strip():
            self._line, self._blanks = "", 1
            return out
        if kind is None and (match := _FENCE.match(line)):
            self._fence, self._line = match[1], ""
            self._code = Highlighter(line.strip().lstrip(match[1][0]).strip().partition(" ")[0], self._palette)
            return [*out, *self._blank_before(), self._palette.paint("dim", line.strip())]
        if kind is None and _RULE.match(line):
            self._line = ""
            return [*out, *self._blank_before(), self._palette.paint("dim", self._palette.mark("─", "-") * min(self._width(), 60))]
        rows, _ = self._rows(is_over=True)
        self._line, self._kind = "", None
        return [*out, *self._blank_before(), *(row.text for row in rows)]

    def _code_line(self) -> list[str]:
        line, self._line = self._line.expandtabs(4), ""
        bare = line.strip()
        if bare.startswith(self._fence) and not bare.strip(self._fence[0]):
            self._fence, self._code = "", None
            return [self._palette.paint("dim", bare)]
        if self._code is not None and self._code.knows:
            return [self._code.line(line)]
        return [self._palette.paint("code", line)]

    def _table_over(self) -> list[str]:
        rows, self._table = self._table, []
        if not rows:
            return []
        shown = table(rows, self._width(), self._palette).split("\n") if is_table(rows) else rows
        return [*self._blank_before(), *shown]

    def _blank_before(self) -> list[str]:
        """The blank row that was held back: none stands at the beginning or the end."""
        blank = [""] if self._blanks and not self._is_blank else []
        self._blanks, self._is_blank = 0, False
        return blank

    def _kind_of(self, line: str) -> ProseLine:
        palette = self._palette
        if match := _HEADING.match(line):
            return ProseLine(match.end() if palette.heading else 0, style=palette.heading)
        if match := _ITEM.match(line):
            indent = match[1][:MAX_INDENT]
            mark = palette.mark("•", "-") if match[2] in "-*+" else match[2]
            box = {None: "", " ": palette.mark("☐ ", "[ ] ")}.get(match[3], palette.mark("☑ ", "[x] "))
            first = f"{indent}{mark} {box}"
            return ProseLine(match.end(), first, " " * cell_len(first))
        if match := _QUOTE.match(line):
            depth = match[0].count(">")
            prefix = "  " * depth if palette.dim else "> " * depth
            return ProseLine(match.end(), prefix, prefix, palette.dim)
        indent = line[: len(line) - len(line.lstrip(" "))][:MAX_INDENT]
        return ProseLine(len(line) - len(line.lstrip(" ")), indent, indent)


def _styled(row: str, style: str) -> str:
    """The row in a style of its own, which what is within it does not end."""
    return f"{style}{row.replace(RESET, RESET + style)}{RESET}" if style and row else row
