"""Which call a piece of one belongs to: servers key pieces by index, by id, by name, or by nothing but their order.

vLLM gives each call its index; Ollama and LiteLLM give every call index 0 and an id of its own; others send no index, repeat id or
name with each piece, send the id late, or make a new id for each piece.
"""

import json
from collections.abc import Mapping
from typing import Any

from agentic.lib.record import record
from agentic.lib.wire.json_text import loads
from agentic.types import ToolCallDelta

_MAX_INDEX = 1 << 53


@record(slots=True)
class _Open:
    """A call as far as it came. `number` is its own among the answer's calls, `index` the server's."""

    number: int
    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""
    named_again: bool = False

    def is_repeated(self, id_: str, name: str, arguments: str) -> bool:
        """True if a piece is the whole of it once more, as some servers end with."""
        return bool(name and arguments and id_ == self.id and name == self.name and arguments == self.arguments and self.is_whole())

    def is_whole(self) -> bool:
        try:
            return isinstance(loads(self.arguments), dict)
        except ValueError:
            return False


class CallNumbers:
    """Numbers the calls of one answer; `deltas` says of each piece to which call it belongs."""

    def __init__(self) -> None:
        self._calls: list[_Open] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def all_whole(self) -> bool:
        """True where the arguments of each call are a whole object, or none."""
        return all(call.is_whole() or not call.arguments.strip() for call in self._calls)

    def deltas(self, pieces: object) -> tuple[ToolCallDelta, ...]:
        """The pieces of a chunk's `tool_calls`, each with the number of its call. What is no piece is skipped."""
        if isinstance(pieces, dict):
            pieces = [pieces]
        if not isinstance(pieces, list):
            return ()
        found = [piece for piece in pieces if isinstance(piece, dict)]
        alone = len(found) < 2
        return tuple(self._delta(piece, None if alone else place) for place, piece in enumerate(found))

    def _delta(self, piece: Mapping[str, Any], place: int | None) -> ToolCallDelta:
        function = piece.get("function", piece if "name" in piece or "arguments" in piece else None)
        function = function if isinstance(function, dict) else {}
        id_, name, arguments = _text(piece.get("id")), _text(function.get("name")), _arguments(function.get("arguments"))
        known = _index(piece.get("index"))
        if known is None and place is not None and not id_ and not name:
            known = place  # several pieces of several calls, told apart by their order alone
        call = self._call(known, id_, name, arguments)
        if call.named_again and arguments:  # it was another call's name that came by itself
            call, name = self._open(known), call.name
        elif call.is_repeated(id_, name, arguments):
            return ToolCallDelta(call.number, "", "", "")
        if any(other.id == id_ and other is not call for other in self._calls):
            id_ = ""  # another call has it: this one gets one from its place
        call.id = call.id or id_
        call.name = call.name if name == call.name else call.name + name
        call.arguments += arguments
        return ToolCallDelta(call.number, call.id if id_ else "", name, arguments)

    def _call(self, index: int | None, id_: str, name: str, arguments: str) -> _Open:
        same = [call for call in self._calls if index is None or call.index == index]
        if id_ and (named := [call for call in same if call.id == id_]):
            other = name and arguments and named[-1].arguments != arguments and named[-1].is_whole()
            return self._open(index) if other else named[-1]
        current = same[-1] if same else None
        if current is None or self._opens(current, id_, name, arguments):
            return self._open(index)
        current.named_again = current.named_again or bool(not id_ and name == current.name and not arguments and current.is_whole())
        return current

    def _opens(self, current: _Open, id_: str, name: str, arguments: str) -> bool:
        """True where the piece begins another call than the one that its index, or its place, last stood for."""
        if id_ and current.id and name:
            return True
        if not current.name and not (id_ and current.id):  # its name comes behind its arguments
            return False
        other_name = name and (name != current.name or arguments)
        return bool((other_name or (id_ and current.id)) and current.is_whole())

    def _open(self, index: int | None) -> _Open:
        used = {call.number for call in self._calls}
        number = index if index is not None and index not in used else max(used, default=-1) + 1
        self._calls.append(_Open(number, index))
        return self._calls[-1]


def _index(value: object) -> int | None:
    """A server's own number of a call, also as a text or with a point."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_INDEX else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    """Returns the arguments as text, also where a server sends the object itself."""
    return json.dumps(value) if isinstance(value, dict) else _text(value)
