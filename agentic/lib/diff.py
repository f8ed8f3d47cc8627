"""Differences of files: made as unified diffs, read with the lines' numbers."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence

from agentic.lib.palette import RESET, Palette
from agentic.lib.sanitize import sanitize

MAX_LINES = 20_000  # of both texts together
MAX_LINE = 1_000  # characters of two lines whose words are compared
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)")


def difference(path: str, before: bytes | None, after: bytes | None) -> str:
    """Returns the change as a unified diff, None being no file; only the sizes if it is not text or is too long."""
    old, new = (None if data is None else _text(data) for data in (before, after))
    if old == "\0" or new == "\0" or len((old or "").splitlines()) + len((new or "").splitlines()) > MAX_LINES:
        sizes = ["no file" if data is None else f"{len(data)} bytes" for data in (before, after)]
        return f"--- {path}\n(too much, or no text: {sizes[0]}, then {sizes[1]})\n"
    names = ("/dev/null" if old is None else path, "/dev/null" if new is None else path)
    end = all(text is None or not text or text.endswith("\n") for text in (old, new))
    before_lines, after_lines = (_lines(text or "", end) for text in (old, new))
    lines = list(difflib.unified_diff(before_lines, after_lines, *names, lineterm=""))
    if not lines and names[0] != names[1]:  # an empty file
        lines = [f"--- {names[0]}", f"+++ {names[1]}"]
    return "".join(f"{line}\n" for line in lines)


def _lines(text: str, end: bool) -> list[str]:
    """The lines, which all `end` with a newline, or have a last one without it."""
    return (text.removesuffix("\n") if end else text).split("\n") if text else []


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


Colour = Callable[[str], str]
"""A line of code in its colours."""
_WORDS = re.compile(r"\w+|\s+|.")
_ALIKE = 0.4  # from this ratio on the words that changed within two lines are marked
TO_END = "\x1b[K"
_ROLES = {"file": "bold", "note": "dim"}


def counts(diff: str) -> tuple[int, int]:
    """How many lines it adds and removes."""
    marks = [mark for mark, number, _ in numbered(diff) if number]
    return marks.count("+"), marks.count("-")


def painted(diff: str, palette: Palette, safe: Colour = sanitize, colours: Callable[[str], Colour] | None = None) -> Iterator[str]:
    """The lines with their numbers, on a background where they are new or gone, the words that changed within a line marked.

    `safe` makes a text fit for a terminal; `colours(path)` gives what colours that file's lines.
    """
    rows = list(numbered(diff))
    wide = len(str(max((number for _, number, _ in rows), default=0)))
    marked = _marked(rows)
    colour: Colour | None = None
    for place, (mark, number, text) in enumerate(rows):
        if mark == "gap":
            yield palette.paint("dim", f"{' ' * wide} {palette.mark('⋯', '...')}")
        elif number:
            yield _painted_line(palette, mark, f"{number:>{wide}} ", safe(text), colour, marked.get(place))
        else:
            colour = colours(text) if colours is not None and mark == "file" else colour
            yield palette.paint(_ROLES[mark], safe(text))


def _painted_line(
    palette: Palette, mark: str, number: str, text: str, colour: Colour | None, words: Sequence[tuple[int, int]] | None
) -> str:
    """A line with its number. Marked words keep one colour: what changed counts more there than what it is."""
    back, word = {"+": (palette.added_back, palette.added_word), "-": (palette.removed_back, palette.removed_word)}.get(
        mark, ("", "")
    )
    role = {"+": "added", "-": "removed"}.get(mark, "")
    if not back:
        plain = palette.paint(role or "dim", f"{number}{mark}{text}") if role or colour is None else ""
        return plain or f"{palette.paint('dim', f'{number}{mark}')}{colour(text) if colour else text}"
    if words and word:
        pieces, end = [], 0
        for start, stop in words:
            pieces += [text[end:start], f"{word}{text[start:stop]}{RESET}{back}"]
            end = stop
        inner = "".join([*pieces, text[end:]])
    else:
        inner = (colour(text) if colour else text).replace(RESET, RESET + back)
    head = f"{back}{palette.paint('dim', number)}{back}{palette.paint(role, mark)}{back}"
    return f"{head}{inner}{TO_END}{RESET}"


def _marked(rows: Sequence[tuple[str, int, str]]) -> dict[int, list[tuple[int, int]]]:
    """By the place of a row, which characters of it changed, where as many lines went as came in their place."""
    found: dict[int, list[tuple[int, int]]] = {}
    place = 0
    while place < len(rows):
        gone = _run(rows, place, "-")
        came = _run(rows, place + gone, "+") if gone else 0
        if gone and gone == came:
            for number in range(gone):
                before, after = rows[place + number][2], rows[place + gone + number][2]
                found[place + number], found[place + gone + number] = _differing(before, after)
        place += max(1, gone + came)
    return found


def _run(rows: Sequence[tuple[str, int, str]], place: int, mark: str) -> int:
    end = place
    while end < len(rows) and rows[end][0] == mark and rows[end][1]:
        end += 1
    return end - place


def _differing(before: str, after: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The parts of both lines that differ; none where they have little in common."""
    if len(before) + len(after) > MAX_LINE:
        return [], []
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return [], []
    places = [[0], [0]]
    for words, known in zip((old, new), places, strict=True):
        for word in words:
            known.append(known[-1] + len(word))
    changed = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return (
        [(places[0][start], places[0][end]) for _, start, end, _, _ in changed if start < end],
        [(places[1][start], places[1][end]) for _, _, _, start, end in changed if start < end],
    )


def _counts(hunk: str) -> Iterator[str]:
    """How many old and new lines a hunk has."""
    for part in hunk.split(" ")[1:3]:
        yield part.partition(",")[2] or "1"


def _text(data: bytes) -> str:
    try:
        return "\0" if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
