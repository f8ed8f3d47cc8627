"""JSON that a model wrote with a slip. Nothing is invented: a text that ends inside a string stays broken, its rest is missing."""

import ast
import json
from collections.abc import Callable, Iterable
from typing import Any

from agentic.lib.patterns import late_pattern

MAX_NESTING = 100
_PREFIX = late_pattern(r"^\s*(?:<\|\w+\|>)?\s*(?:```+\s*)?(?:json|code)?\s*(?:<\|\w+\|>)?\s*")
_JUNK_AFTER = late_pattern(r"(?:[\s`}\]]|</?[\w=/]+>|<\|\w+\|>)*")
_CALL_END = late_pattern(r"</\w+>|<\|\w+\|>")
_CLOSERS = {"{": "}", "[": "]"}


def loads(text: str | bytes, parse_constant: "Callable[[str], None] | None" = None) -> Any:
    """The value of a JSON text from elsewhere. Raises ValueError, also for one that is nested more than MAX_NESTING deep."""
    try:
        value = json.loads(text, parse_constant=parse_constant)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level, depth = [value], 0
    while level := [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]:
        depth += 1
        if depth > MAX_NESTING:
            raise ValueError(_TOO_DEEP)
    return value


_TOO_DEEP = f"it is nested more than {MAX_NESTING} deep"


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def lenient_object(text: str) -> dict[str, Any] | None:
    """The object that `text` is, or was meant to be; None where that is not certain."""
    bare = text[len(match[0]) :] if (match := _PREFIX.match(text)) else text
    for attempt in (bare, _closed(bare)):
        found = _decoded(attempt)
        if isinstance(found, str):  # the object as a string of JSON
            found = _decoded(found)
        if isinstance(found, dict):
            return found
    return _python(bare)


def leading_object(text: str) -> tuple[dict[str, Any], int] | None:
    """The object at the start of `text` and where it ends; one that lacks only its last brackets ends with the text."""
    try:
        found, end = json.JSONDecoder(strict=False, parse_constant=refuse_constant).raw_decode(text)
    except (ValueError, RecursionError):
        end = len(_CALL_END.split(text)[0])
        found = lenient_object(text[:end])
    return (found, end) if isinstance(found, dict) else None


def _decoded(text: str) -> Any:
    """The value in front, where nothing but junk follows; of `{}{…}` the second."""
    decoder = json.JSONDecoder(strict=False, parse_constant=refuse_constant)  # not strict: bare line breaks inside strings
    try:
        found, end = decoder.raw_decode(text)
        rest = text[end:].strip()
        if rest.startswith("{") and found in ({}, decoder.raw_decode(rest)[0]):
            return _decoded(rest)
    except (ValueError, RecursionError):
        return None
    return found if _JUNK_AFTER.fullmatch(rest) else None


def refuse_constant(constant: str) -> None:
    """For a decoder's `parse_constant`: NaN and the infinities are Python's, not JSON's."""
    raise ValueError(f"{constant} is not JSON")


def _closed(text: str) -> str:
    """The text with commas before closing brackets taken out and missing brackets at its end put in."""
    kept: list[str] = []
    missing: list[str] = []
    quoted = escaped = False
    for character in text.rstrip().rstrip("`").rstrip():
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in _CLOSERS:
            missing.append(_CLOSERS[character])
        elif missing and character == missing[-1]:
            missing.pop()
            while kept and (kept[-1].isspace() or kept[-1] == ","):
                kept.pop()
        kept.append(character)
    if quoted:
        return text
    return "".join(kept).rstrip().rstrip(",") + "".join(reversed(missing))


def _python(text: str) -> dict[str, Any] | None:
    """Single quotes, True and None."""
    try:
        found = ast.literal_eval(text.strip())
        json.dumps(found)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
