"""Code in colours, a line at a time: what a line begins in (a docstring, a comment) is known from the line before."""

import functools
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from agentic.lib.palette import Palette

_ROLES = {
    "Keyword": "keyword",
    "Operator.Word": "keyword",
    "Literal.String": "string",
    "Literal.Number": "number",
    "Comment": "comment",
    "Name.Function": "name",
    "Name.Class": "name",
    "Name.Tag": "name",
    "Name.Decorator": "number",
    "Name.Attribute": "number",
    "Generic.Inserted": "added",
    "Generic.Deleted": "removed",
    "Generic.Heading": "heading",
    "Generic.Prompt": "comment",
}


class Highlighter:
    """The highlighter of one block in the language that its fence names.

    `line` gives the text as it is where nobody knows that language.
    """

    def __init__(self, language: str, palette: Palette) -> None:
        self._palette = palette
        self._lexer = _lexer(language)
        self._stack: list[str] | None = None

    @property
    def knows(self) -> bool:
        """True if there are colours for it."""
        return self._lexer is not None

    def line(self, text: str) -> str:
        """The next line, without its end."""
        if self._lexer is None:
            return text
        try:
            pieces = [
                (role, "".join(piece for _, piece in same)) for role, same in groupby(self._pieces(text + "\n"), itemgetter(0))
            ]
        except Exception:  # a lexer's own mistake costs colours, nothing else
            self._lexer = None
            return text
        whole = "".join(piece for _, piece in pieces) == text
        return "".join(self._palette.paint(role, piece) for role, piece in pieces) if whole else text

    def _pieces(self, line: str) -> Iterator[tuple[str, str]]:
        """(role, text) one behind the other."""
        for kind, piece in self._tokens(line):
            if text := piece.rstrip("\n"):
                yield _role(str(kind).removeprefix("Token.")), text

    def _tokens(self, line: str) -> Iterator[tuple[Any, str]]:
        from pygments.lexer import ExtendedRegexLexer, LexerContext, RegexLexer

        if type(self._lexer).get_tokens_unprocessed is not RegexLexer.get_tokens_unprocessed:
            yield from self._lexer.get_tokens(line)
            return
        context = LexerContext(line, 0, self._stack or ["root"])
        tokens: Any = ExtendedRegexLexer.get_tokens_unprocessed(self._lexer, context=context)  # which gives the state back
        yield from ((kind, piece) for _, kind, piece in tokens)
        self._stack = context.stack


def highlighter_of(path: str, palette: Palette) -> Highlighter:
    """The highlighter for a file of that name."""
    return Highlighter(path.rpartition(".")[2] if "." in path else "", palette)


@functools.lru_cache(32)
def _lexer(language: str) -> Any:
    """None where no lexer has that name."""
    if not language:
        return None
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _role(kind: str) -> str:
    while kind:
        if kind in _ROLES:
            return _ROLES[kind]
        kind = kind.rpartition(".")[0]
    return "plain"
