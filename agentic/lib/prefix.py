"""The prefix guard: each request begins with all of the one before it, or it is said why not."""

from collections.abc import Sequence

from agentic.types import ChatRequest, Message

Stage = tuple[str, ChatRequest]
"""A request as it left the host ("") or the plugin of that name."""


class PrefixGuard:
    """Compares a conversation's requests. What a server computed for a prompt serves the next one only as far as both are equal."""

    def __init__(self) -> None:
        self._before: dict[str, ChatRequest] = {}
        self._told: set[tuple[str, str]] = set()

    def trimmed(self) -> None:
        """The next request may differ: that was declared."""
        self._before.clear()

    def check(self, stages: Sequence[Stage]) -> str:
        """A warning that names the first difference and whose it is, "" without one or where it was said before."""
        found = next(((name, place) for name, request in stages if (place := self._difference(name, request))), None)
        self._before = dict(stages)
        if found is None or found in self._told:
            return ""
        self._told.add(found)
        name, place = found
        who = f"plugin {name}" if name else "agentic"
        return f"{who} changed {place} since the last request: the server's prefix cache is of no use from there on"

    def _difference(self, name: str, request: ChatRequest) -> str:
        before = self._before.get(name)
        return first_difference(before, request) if before else ""


def first_difference(before: ChatRequest, after: ChatRequest) -> str:
    """The first message and field of `before` that `after` does not begin with; "" where it does."""
    if before.tools != after.tools:
        return "the tools"
    for number, message in enumerate(before.messages):
        if number >= len(after.messages):
            return f"message {number} ({message.role}), which is missing"
        newest = number == len(before.messages) - 1
        if field := _field(message, after.messages[number], newest):
            return f"message {number} ({message.role}), field {field}"
    return ""


def _field(before: Message, after: Message, newest: bool) -> str:
    """The field that differs. The newest message may have grown, and a server drops reasoning itself after a final answer."""
    if before is after:
        return ""
    grown = newest and before.images == after.images and after.text.startswith(before.text)
    if before.content != after.content and not grown:
        return "content"
    if after.reasoning and before.reasoning != after.reasoning:
        return "reasoning"
    return next((name for name in ("role", "tool_calls", "tool_call_id") if getattr(before, name) != getattr(after, name)), "")


def tail_of(before: ChatRequest, request: ChatRequest) -> tuple[Message, ...] | None:
    """The messages that `request` adds to `before`; None where it does not go on from there."""
    length = len(before.messages)
    if request.messages[:length] == before.messages and request.tools == before.tools:
        return request.messages[length:]
    return None
