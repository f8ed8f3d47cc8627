"""Markdown, shown as it streams: each character as it comes, and a line once more when it is whole and looks different then.

Nothing above the current line is touched, but for a table, whose rows are lined up when it is over; so the work grows with the
text alone, and what has scrolled away stays as it was.
"""

import re
from collections.abc import Callable

from rich.cells import cell_len

from agentic.lib.palette import PLAIN, RESET, Palette
from plugins_builtin.screen.highlight import Highlighter
from plugins_builtin.screen.tables import is_table, table

_FENCES = ("```", "~~~")
_MAX_HEADING = 6
_LINK = re.compile(r"!?\[([^\]\n]+)\]\(([^)\s]+)\)")
_BULLET = re.compile(r"^(\s*)[-*+] (?=\S)")
_BELOW = "\x1b[J"
_SPECIAL = frozenset("\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029`*")


class Ink:
    """Feed it text, get what to write. Held back is only what cannot be judged yet: a line's first marks, a lone `*`.

    `size` gives the terminal's columns and lines; without it nothing is written twice.
    """

    def __init__(self, palette: Palette = PLAIN, size: Callable[[], tuple[int, int]] | None = None) -> None:
        self._palette = palette
        self._size = size
        self._forget()

    def _forget(self) -> None:
        self._fence = ""
        self._highlighter: Highlighter | None = None
        self._style = ""  # of the whole line
        self._held = ""
        self._starting = True
        self._bold = self._code = False
        self._line = ""  # as it came
        self._shown = ""  # the same without the marks, as it stands on the screen
        self._rows: list[str] = []  # of a table

    def feed(self, text: str) -> str:
        """The text so far decided, with colours."""
        if not (self._starting or self._held or _SPECIAL.intersection(text)):  # most of what comes
            self._line += text
            self._shown += text
            return text
        text = text.replace("\t", "    ")  # a tab's width depends on where it stands
        return "".join(self._piece(piece) for piece in (self._held + text).splitlines(keepends=True))

    def end(self) -> str:
        """Returns the text held back, the table that was not over, and the code that switches the colours off."""
        out = self._held_back()
        if self._rows:
            out += (self._end_line() if self.column else "") + self._lined_up()
        column = self.column
        self._forget()
        self._shown = " " * column
        return f"{out}{RESET}"

    def begin_line(self) -> None:
        """The cursor is at the left of a new line."""
        self._shown = ""

    @property
    def column(self) -> int:
        """How many cells of the current line are written."""
        return cell_len(self._shown)

    def _piece(self, piece: str) -> str:
        self._held = ""
        out = ""
        ends = piece.endswith("\n")
        text = piece.removesuffix("\n")
        if self._starting:
            if not ends and self._undecided(text):
                self._held = piece
                return ""
            out = self._start_line(text)
            text = self._first(text)
            self._starting = False
        out += self._show(text)
        return out + (self._end_line() if ends else "")

    def _show(self, text: str) -> str:
        self._line += text
        if self._style or self._fence or self._rows:
            self._shown += text
            return text
        return self._inline(text)

    def _held_back(self) -> str:
        """Returns the text held back, of which nothing can make a mark any more."""
        rest, self._held = self._held, ""
        self._line += rest
        self._shown += rest
        return rest

    def _undecided(self, start: str) -> bool:
        """True if a line that begins so could still become a fence, a heading, an item of a list."""
        bare = start.lstrip(" ")
        if self._fence:
            return self._fence.startswith(bare) or not bare.strip(f"{self._fence[0]} ")
        if not bare or bare in "-*+" or bare in ("- ", "* ", "+ "):
            return True
        return any(fence.startswith(bare) for fence in _FENCES) or (not bare.strip("#") and len(bare) <= _MAX_HEADING)

    def _start_line(self, line: str) -> str:
        """Returns what is to be written before the line; whether it is code, a heading, a table's row is known from here on."""
        out = self._lined_up() if self._rows and not line.startswith("|") else ""
        bare = line.strip()
        self._line = self._shown = ""
        if self._fence:
            if bare.startswith(self._fence) and not bare.strip(self._fence[0]):
                self._fence, self._highlighter = "", None
                self._style = self._palette.dim
            else:
                self._style = self._palette.code
        elif bare.startswith(_FENCES):
            self._fence = bare[:3]
            self._highlighter = None
            self._style = self._palette.dim
        elif bare.startswith("#") and bare.lstrip("#")[:1] in ("", " "):
            self._style = self._palette.heading
        elif line.startswith("|"):
            self._rows.append("")
        return out + self._style

    def _first(self, text: str) -> str:
        """A line's beginning as it is shown."""
        if self._style or self._fence or self._rows:
            return text
        return _BULLET.sub(lambda match: f"{match[1]}{self._palette.mark('•', '-')} ", text)

    def _end_line(self) -> str:
        """Returns what ends the line, which is written once more where it looks different as a whole."""
        out = self._held_back()
        off = self._off()
        again = ""
        if self._rows:
            self._rows[-1] = self._line
        elif self._fence and self._highlighter is None:
            self._highlighter = Highlighter(self._line.strip().lstrip(self._fence[0]).strip().partition(" ")[0], self._palette)
        elif self._fence and self._highlighter and self._highlighter.knows:
            again = self._highlighter.line(self._line)
        elif not self._fence and not self._style and "](" in self._shown:
            again = self._linked(self._first(self._line))
        out += off + (self._rewritten(again) if again else "") + "\n"
        self._starting, self._style, self._shown = True, "", ""
        self._bold = self._code = False
        return out

    def _off(self) -> str:
        return RESET if self._style or self._bold or self._code else ""

    def _rewritten(self, line: str) -> str:
        """The current line anew, as long as all its rows are on the screen."""
        if self._size is None:
            return ""
        columns, lines = self._size()
        rows = _rows(self._shown, columns)
        if rows >= lines - 1:
            return ""
        return (f"\x1b[{rows - 1}A" if rows > 1 else "") + f"\r{_BELOW}{line}"

    def _linked(self, line: str) -> str:
        """The line with its links as words and where they lead; "" where it has none."""
        spans = line.split("`")
        marked = "`".join(span if number % 2 else _LINK.sub(_words_and_address, span) for number, span in enumerate(spans))
        if marked == line:
            return ""
        inner = Ink(self._palette)
        inner._starting = False
        inked = inner._inline(marked) + inner._held_back() + inner._off()
        return inked.replace("\0", self._palette.link).replace("\1", RESET if self._palette.link else "")

    def _lined_up(self) -> str:
        """The table that is over, in place of its rows as they came."""
        rows, self._rows = self._rows, []
        if self._size is None or not is_table(rows):
            return ""
        columns, lines = self._size()
        height = sum(_rows(row, columns) for row in rows)
        if height >= lines - 1:
            return ""
        return f"\x1b[{height}A\r{_BELOW}{table(rows, columns, self._palette)}\n"

    def _inline(self, text: str) -> str:
        if "`" not in text and "*" not in text:
            self._shown += text
            return text
        if (len(text) - len(text.rstrip("*"))) % 2:  # another one may make a pair of it
            text, self._held = text[:-1], "*"
            self._line = self._line[:-1]
        out = []
        for i, span in enumerate(text.split("`")):
            if i:
                self._code = not self._code
                out.append(self._palette.code if self._code else RESET + (self._palette.bold if self._bold else ""))
            if self._code:
                self._shown += span
            out.append(span if self._code else self._bolden(span))
        return "".join(out)

    def _bolden(self, text: str) -> str:
        out = []
        for i, span in enumerate(text.split("**")):
            if i:
                self._bold = not self._bold
                out.append(self._palette.bold if self._bold else RESET)
            self._shown += span
            out.append(span)
        return "".join(out)


def _rows(line: str, columns: int) -> int:
    """Returns the number of rows of the screen that a line takes."""
    return max(1, -(-cell_len(line) // columns))


def _words_and_address(link: re.Match[str]) -> str:
    """The words between two marks, and the address where it is another text."""
    return f"\0{link[1]}\1" + (f" ({link[2]})" if link[1] != link[2] else "")
