"""Warnings given once a session, though the hook that gives them is called at every task."""

from collections.abc import Callable, Sequence
from typing import Any

from agentic.events import Warned

MAX_LINES = 3


class OncePerSession:
    """For a plugin's `agentic_before_task`: `await once.warn(session, setup.emit, lines)`."""

    def __init__(self, more: str) -> None:
        self._more = more
        self._told: set[str] = set()

    async def warn(self, session: str, emit: Callable[[Any], Any], lines: Callable[[], Sequence[str]]) -> None:
        """Emits one warning of the lines, if there are any; `more` says where the rest of many is shown."""
        if session in self._told:
            return
        self._told.add(session)
        if found := lines():
            rest = f"; and {len(found) - MAX_LINES} more: {self._more}" if len(found) > MAX_LINES else ""
            await emit(Warned(message="; ".join(found[:MAX_LINES]) + rest))
