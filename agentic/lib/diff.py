"""Differences of files: made as unified diffs, read with the lines' numbers."""

import difflib
import re
from collections.abc import Callable, Iterator

from agentic.lib.palette import Palette
from agentic.lib.sanitize import sanitize

MAX_LINES = 20_000  # of both texts together
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)")


def difference(path: str, before: bytes | None, after: bytes | None) -> str:
    """Returns the change as a unified diff, None being no file; only the sizes if it is not text or is too long."""
    old, new = (None if data is None else _text(data) for data in (before, after))
    if old == "\0" or new == "\0" or len((old or "").splitlines()) + len((new or "").splitlines()) > MAX_LINES:
        sizes = ["no file" if data is None else f"{len(data)} bytes" for data in (before, after)]
        return f"--- {path}\n(too much, or no text: {sizes[0]}, then {sizes[1]})\n"
    names = ("/dev/null" if old is None else path, "/dev/null" if new is None else path)
    before_lines, after_lines = ([] if text is None else text.split("\n") for text in (old, new))
    lines = difflib.unified_diff(before_lines, after_lines, *names, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def numbered(diff: str) -> Iterator[tuple[str, int, str]]:
    """(mark, line number, text) of each line: "+", "-" or " " with the number in the new file, for "-" in the old one;
    "file", "gap" (between two hunks) or "note" with the number 0.

    >>> list(numbered(difference("a", b"one", b"two")))
    [('file', 0, 'a'), ('-', 1, 'one'), ('+', 1, 'two')]
    """
    old = new = left_old = left_new = 0
    first, is_new = True, False
    for line in diff.removesuffix("\n").split("\n"):
        mark, text = line[:1], line[1:]
        if left_old > 0 or left_new > 0:
            yield mark or " ", old if mark == "-" else new, text
            old, new = old + (mark != "+"), new + (mark != "-")
            left_old, left_new = left_old - (mark != "+"), left_new - (mark != "-")
        elif match := _HUNK.match(line):
            old, new = int(match[1]), int(match[2])
            left_old, left_new = (int(count) for count in _counts(line))
            if not first:
                yield "gap", 0, ""
            first = False
        elif line.startswith("--- "):
            is_new, first = line == "--- /dev/null", True
            if not is_new:
                yield "file", 0, line[4:]
        elif line.startswith("+++ "):
            if is_new:
                yield "file", 0, line[4:]
            elif line == "+++ /dev/null":
                yield "note", 0, "(the file goes)"
        elif line:
            yield "note", 0, line


_ROLES = {"+": "added", "-": "removed", "file": "bold", "note": "dim"}


def painted(diff: str, palette: Palette, safe: Callable[[str], str] = sanitize) -> Iterator[str]:
    """The lines with their numbers, coloured, behind a bar; `safe` makes a text fit for a terminal."""
    rows = list(numbered(diff))
    wide = len(str(max((number for _, number, _ in rows), default=0)))
    bar = palette.mark("  │ ", "  | ")
    for mark, number, text in rows:
        if mark == "gap":
            yield bar + palette.paint("dim", palette.mark("⋯", "..."))
        elif number:
            yield bar + palette.paint(_ROLES.get(mark, "dim"), f"{number:>{wide}} {mark}{safe(text)}")
        else:
            yield bar + palette.paint(_ROLES[mark], safe(text))


def _counts(hunk: str) -> Iterator[str]:
    """How many old and new lines a hunk has."""
    for part in hunk.split(" ")[1:3]:
        yield part.partition(",")[2] or "1"


def _text(data: bytes) -> str:
    try:
        return "\0" if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
