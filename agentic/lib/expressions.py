"""Regular expressions that others wrote: each runs for a moment and no longer, and one that would not end is not tried again."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

SECONDS = 0.2
_FEW = 3  # repetitions that Python's own engine gets through on any path or name
_REPEATS = re.compile(r"[*+{]")
_slow: set[str] = set()


def matches(expression: str, text: str, whole: bool = False) -> bool | None:
    """True if it matches somewhere, or the `whole` text; None where it is no expression here, or takes too long."""

    def use(compiled: Any) -> bool:
        match = compiled.fullmatch if whole else compiled.search
        return match(text, timeout=SECONDS) is not None

    found: bool | None = _tried(use, expression)
    return found


def ends(expression: str, text: str) -> list[int]:
    """Returns the ends of the expression's matches in the text; none where it takes too long."""
    if len(_REPEATS.findall(expression)) <= _FEW:
        return [match.end() for match in _plain(expression).finditer(text)]
    found = _tried(lambda compiled: [match.end() for match in compiled.finditer(text, timeout=SECONDS)], expression)
    return found or []


def _tried(use: Callable[[Any], Any], expression: str) -> Any:
    import regex

    if expression in _slow:
        return None
    try:
        return use(_compiled(expression))
    except TimeoutError:
        _slow.add(expression)
    except (regex.error, ValueError, RecursionError, OverflowError):
        pass
    return None


@lru_cache(maxsize=2000)
def _compiled(expression: str) -> Any:
    import regex

    return regex.compile(expression)


@lru_cache(maxsize=2000)
def _plain(expression: str) -> "re.Pattern[str]":
    return re.compile(expression)
