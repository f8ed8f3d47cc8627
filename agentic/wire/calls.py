"""Which call a piece of one belongs to: servers key pieces by index, by id, by name, or by nothing but their order.

vLLM gives each call its index; Ollama and LiteLLM give every call index 0 and an id of its own; others send no index, repeat id or
name with each piece, send the id late, or make a new id for each piece.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentic.types import ToolCallDelta
from agentic.wire.json_text import loads

_MAX_INDEX = 1 << 53


@dataclass(slots=True)
class _Open:
    """A call as far as it came. `number` is its own among the answer's calls, `index` the server's."""

    number: int
    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""

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
        if not isinstance(pieces, list):
            return ()
        found = [piece for piece in pieces if isinstance(piece, dict)]
        alone = len(found) < 2
        return tuple(self._delta(piece, None if alone else place) for place, piece in enumerate(found))

    def _delta(self, piece: Mapping[str, Any], place: int | None) -> ToolCallDelta:
        index, function = piece.get("index"), piece.get("function")
        function = function if isinstance(function, dict) else {}
        id_, name, arguments = _text(piece.get("id")), _text(function.get("name")), _arguments(function.get("arguments"))
        known = index if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < _MAX_INDEX else None
        if known is None and place is not None and not id_ and not name:
            known = place  # several pieces of several calls, told apart by their order alone
        call = self._call(known, id_, name, arguments)
        call.id = call.id or id_
        call.name = call.name if name == call.name else call.name + name
        call.arguments += arguments
        return ToolCallDelta(call.number, call.id if id_ else "", name, arguments)

    def _call(self, index: int | None, id_: str, name: str, arguments: str) -> _Open:
        same = [call for call in self._calls if index is None or call.index == index]
        if id_ and (named := [call for call in same if call.id == id_]):
            return named[-1]
        current = same[-1] if same else None
        if current is None or self._opens(current, id_, name, arguments):
            return self._open(index)
        return current

    def _opens(self, current: _Open, id_: str, name: str, arguments: str) -> bool:
        """True where the piece begins another call than the one that its index, or its place, last stood for."""
        if id_ and current.id and name:
            return True
        other_name = name and (name != current.name or arguments)
        return bool((other_name or (id_ and current.id)) and current.is_whole())

    def _open(self, index: int | None) -> _Open:
        used = {call.number for call in self._calls}
        number = index if index is not None and index not in used else max(used, default=-1) + 1
        self._calls.append(_Open(number, index))
        return self._calls[-1]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    """As text, also where a server sends the object itself."""
    return json.dumps(value) if isinstance(value, dict) else _text(value)
