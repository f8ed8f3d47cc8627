"""Inline Markdown: code, bold, italic, links, each found where it begins or known to be still open."""

import re
from collections.abc import Iterator

from agentic.lib.palette import Palette
from agentic.lib.record import record

MAX_SPAN = 2_000  # characters between a mark and the one that closes it
MAX_EMPHASIS = 400  # the same for stars and underscores, which often stand for themselves
_PLAIN = re.compile(r"[^`*_\[!\\]+")
_BACKTICKS = re.compile(r"`+")
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\(([^)\s]*)\)")
_OPEN_LINK = re.compile(r"!?(?:\[[^\[\]\n]*(?:\]\(?[^)\s]*)?)?\Z")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


@record(frozen=True, slots=True)
class InlinePiece:
    """A text in one style. `start` and `end` are where it stands in the source; `whole`: it is not broken (code, an address).

    `inside`: a cut of the source behind it would fall into a span.
    """

    text: str
    style: str
    start: int
    end: int
    whole: bool = False
    inside: bool = False


def pieces_of(source: str, palette: Palette, is_over: bool) -> tuple[list[InlinePiece], int]:
    """(the pieces, from where on the source may still mean something else). `is_over`: nothing follows it in its line."""
    reader = _Reader(source, palette, is_over)
    return list(reader.read(0, len(source), "")), reader.open_at


class _Reader:
    def __init__(self, source: str, palette: Palette, is_over: bool) -> None:
        self._source = source
        self._palette = palette
        self._is_over = is_over
        self._unclosed: set[tuple[str, int]] = set()
        self.open_at = len(source)

    def read(self, start: int, end: int, style: str) -> Iterator[InlinePiece]:
        """Yields the pieces of a part of the source, in that style where they have no other."""
        place, nested = start, bool(style)
        while place < end:
            if match := _PLAIN.match(self._source, place, end):
                yield InlinePiece(match[0], style, place, match.end(), inside=nested)
                place = match.end()
                continue
            found = list(self._marked(place, end, style))
            yield from found
            place = found[-1].end if found else place + 1

    def _marked(self, place: int, end: int, style: str) -> Iterator[InlinePiece]:
        """Yields the pieces of what begins with the mark there: a span, or the mark itself."""
        mark = self._source[place]
        if mark == "\\":
            yield self._escaped(place, end, style)
        elif mark == "`":
            yield self._code(place, end, style)
        elif mark in "[!":
            yield from self._link(place, end, style)
        else:
            yield from self._emphasis(place, end, style)

    def _literal(self, place: int, length: int, style: str) -> InlinePiece:
        return InlinePiece(self._source[place : place + length], style, place, place + length, inside=bool(style))

    def _may_go_on(self, place: int, end: int) -> bool:
        """True if what follows the source may close what begins there; that place is open then."""
        if self._is_over or end != len(self._source) or end - place > MAX_SPAN:
            return False
        self.open_at = min(self.open_at, place)
        return True

    def _escaped(self, place: int, end: int, style: str) -> InlinePiece:
        if match := _ESCAPED.match(self._source, place, end):
            return InlinePiece(match[1], style, place, match.end(), inside=bool(style))
        if place + 1 == end:
            self._may_go_on(place, end)
        return self._literal(place, 1, style)

    def _code(self, place: int, end: int, style: str) -> InlinePiece:
        opening = _BACKTICKS.match(self._source, place, end)
        assert opening is not None
        for closing in _BACKTICKS.finditer(self._source, opening.end(), min(end, opening.end() + MAX_SPAN)):
            if len(closing[0]) == len(opening[0]) and not (closing.end() == end and self._may_go_on(place, end)):
                inner = self._source[opening.end() : closing.start()]
                shown = inner[1:-1] if len(inner) > 2 and inner[0] == inner[-1] == " " and inner.strip() else inner
                return InlinePiece(shown, style + self._palette.code, place, closing.end(), whole=True, inside=bool(style))
        self._may_go_on(place, end)
        return self._literal(place, len(opening[0]), style)

    def _link(self, place: int, end: int, style: str) -> Iterator[InlinePiece]:
        if match := _LINK.match(self._source, place, end):
            words, address = match.groups()
            yield InlinePiece(words or address, style + self._palette.link, place, match.end(), inside=bool(style))
            if address and words and words != address:
                yield InlinePiece(f" ({address})", style, match.end(), match.end(), whole=True, inside=bool(style))
            return
        if _OPEN_LINK.match(self._source, place, end):
            self._may_go_on(place, end)
        yield self._literal(place, 1, style)

    def _emphasis(self, place: int, end: int, style: str) -> Iterator[InlinePiece]:
        mark = self._source[place]
        length = next((n for n in range(3) if self._source[place + n : place + n + 1] != mark), 3)
        for n in dict.fromkeys((length, min(length, 2), 1)):
            inner = place + n
            if inner >= end:
                self._may_go_on(place, end)
                continue
            if not self._opens(place, inner, mark):
                continue
            close = self._closing(inner, end, mark * n)
            if close >= 0:
                more = (self._palette.bold if n >= 2 else "") + (self._palette.italic if n != 2 else "")
                yield from self.read(inner, close, style + more if more else style)
                yield InlinePiece("", style, close + n, close + n, inside=bool(style))
                return
            self._may_go_on(place, end)
        yield self._literal(place, length, style)

    def _opens(self, place: int, inner: int, mark: str) -> bool:
        """True if a mark is one that may begin a span: a word follows, and an underscore stands in none."""
        if self._source[inner].isspace():
            return False
        return mark == "*" or place == 0 or not self._source[place - 1].isalnum()

    def _closing(self, inner: int, end: int, mark: str) -> int:
        """Finds the mark that closes a span; -1 where none does yet."""
        place, last = inner, min(end, inner + MAX_EMPHASIS)
        if (mark, end) in self._unclosed:
            return -1
        while (place := self._source.find(mark, place + 1, last)) >= 0:
            after = self._source[place + len(mark) : place + len(mark) + 1]
            if after == mark[0]:
                place += len(mark)
                continue
            if not after and not self._is_over and place + len(mark) == len(self._source):
                return -1  # it may be the first half of a longer one
            if not self._source[place - 1].isspace() and (mark[0] == "*" or not after.isalnum()):
                return place
        if last == end:  # nor will one further on
            self._unclosed.add((mark, end))
        return -1
