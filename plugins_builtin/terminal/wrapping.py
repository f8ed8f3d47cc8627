"""Words in rows: broken between words alone, by the width that characters have on the screen."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import field

from rich.cells import cell_len

from agentic.lib.palette import RESET
from agentic.lib.record import record
from plugins_builtin.terminal.inline import InlinePiece

LEAST = 8  # columns that text gets, however deep it is indented
# Scripts that are written without blanks: a row may end behind each of their characters. Korean has blanks.
_BROKEN_ANYWHERE = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)
_BLANKS = re.compile(r"( +)")
_HANGING = re.compile(r" *(?:\S+(?: \S+)* {2,})?")


@record(slots=True)
class Word:
    """A word, which is never broken: (text, style) one behind the other. `blanks` stand before it, unless it begins a row."""

    start: int  # in the source
    blanks: int = 0
    parts: list[tuple[str, str]] = field(default_factory=list)
    width: int = 0
    inside: bool = False  # a span goes on before it


@record(frozen=True, slots=True)
class ScreenRow:
    """A row as the terminal gets it. `start` is where it begins in the source; `inside`: within a span."""

    text: str
    start: int
    inside: bool


def rows_of(pieces: Sequence[InlinePiece], width: int, first: str = "", later: str = "") -> list[ScreenRow]:
    """The pieces in rows of that width, behind the prefix of the `first` one and those of the `later` ones.

    A word that is wider than a row has one by itself, and is left to the terminal.
    """
    rows: list[ScreenRow] = []
    prefix, room = first, max(LEAST, width - cell_len(first))
    row: list[Word] = []
    used = 0
    for word in _words(pieces):
        blanks = word.blanks if row else 0
        if row and used + blanks + word.width > room:
            rows.append(_row(prefix, row))
            prefix, room = later, max(LEAST, width - cell_len(later))
            row, used, blanks = [], 0, 0
        row.append(word)
        used += blanks + word.width
    return [*rows, _row(prefix, row)] if row or prefix.strip() else rows


def wrapped(line: str, width: int) -> list[str]:
    """A plain line in rows of that width; those after the first begin where its text does, behind a name and a gap."""
    if cell_len(line) <= width:
        return [line]
    indent = _HANGING.match(line)
    first = indent[0] if indent and cell_len(indent[0]) <= width // 2 else ""
    later = " " * cell_len(first)
    rows = rows_of([InlinePiece(line[len(first) :], "", 0, len(line))], width, first, later)
    return [row.text for row in rows] or [""]


def _row(prefix: str, words: Sequence[Word]) -> ScreenRow:
    out, style = [prefix], ""
    for number, word in enumerate(words):
        blanks = " " * word.blanks if number else ""
        for text, wanted in word.parts:
            if wanted != style:
                if style:
                    out += [RESET]
                out += [blanks, wanted] if wanted else [blanks]
                style, blanks = wanted, ""
            out += [blanks, text]
            blanks = ""
    return ScreenRow("".join(out) + (RESET if style else ""), words[0].start if words else 0, bool(words) and words[0].inside)


def _words(pieces: Sequence[InlinePiece]) -> Iterator[Word]:
    word: Word | None = None
    blanks = 0
    for piece in pieces:
        place = piece.start
        for text in [piece.text] if piece.whole else _BLANKS.split(piece.text):
            if not text:
                continue
            if text.isspace() and not piece.whole:
                if word is not None:
                    yield word
                word, blanks = None, len(text)
                place += len(text)
                continue
            for part in [text] if piece.whole else _BROKEN_ANYWHERE.findall(text):
                breaks = not piece.whole and len(part) == 1 and _BROKEN_ANYWHERE.match(part) is not None and ord(part) >= 0x3040
                if word is not None and breaks:
                    yield word
                    word = None
                if word is None:
                    word = Word(place, blanks, inside=piece.inside)
                    blanks = 0
                word.parts.append((part, piece.style))
                word.width += cell_len(part)
                place += len(part)
                if breaks:
                    yield word
                    word = None
    if word is not None:
        yield word
