"""Answers as they were meant: calls that stand in their text, as far as those may count."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from agentic.lib.patterns import late_pattern
from agentic.lib.record import record
from agentic.lib.wire.json_text import loads
from agentic.types import Message, ToolSpec

_CODE_BLOCK = late_pattern(r"^[ \t]*(```+|~~~+).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)


class Repairs(Protocol):
    def repair(self, message: Message, tools: Sequence[ToolSpec]) -> Message:
        """The message with what it means."""
        ...


@record(frozen=True, slots=True)
class Repaired:
    """An answer as it was meant. `quotes`: calls stand in it beside other text, which makes them a quotation.

    `as_text`: it is nothing but a "call", or the "arguments" of one, which may not be taken for one.
    """

    message: Message
    quotes: bool = False
    as_text: Literal["", "call", "arguments"] = ""


def _is_same(text: str, arguments: str) -> bool:
    """True if the text says just these arguments, and no tool's name."""
    try:
        return bool(loads(text) == loads(arguments))
    except ValueError:
        return False


def repaired(message: Message, tools: Sequence[ToolSpec], repairs: Sequence[Repairs], may_recover: bool = True) -> Repaired:
    """An answer as it was meant.

    Calls in its text count only where `may_recover`, and where code blocks apart nothing else is there: a model that tells what
    a hostile file says asks for nothing.
    """
    plain = _through(repairs, message, tools if message.tool_calls else ())
    if message.tool_calls or not tools:
        return Repaired(plain)
    quotes = False
    for text in (message.text, _CODE_BLOCK.sub("", message.text)):
        found = _through(repairs, message.with_text(text), tools)
        if found.tool_calls and not found.text.strip() and not _CODE_BLOCK.match(text):
            if not may_recover:
                return Repaired(plain, as_text="arguments" if _is_same(text, found.tool_calls[0].arguments) else "call")
            return Repaired(replace(found, tool_calls=tuple(replace(call, recovered=True) for call in found.tool_calls)))
        quotes = bool(found.tool_calls)
    return Repaired(plain, quotes)


def _through(repairs: Sequence[Repairs], message: Message, tools: Sequence[ToolSpec]) -> Message:
    for repair in repairs:
        message = repair.repair(message, tools)
    return message
