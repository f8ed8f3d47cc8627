"""Who may do what: the mode the user chose, what plugins say, and a question where both leave one."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from agentic.hooks.events import Verdict
from agentic.types import Effect, ToolCall

Ask = Callable[[str], Awaitable[bool]]
"""Shows a question to the user and gives the answer."""

_ALLOWED: dict[str, set[Effect]] = {
    "ask": {"read"},
    "edits": {"read", "write"},
    "all": {"read", "write", "execute"},
    "none": {"read"},
}


class Approver:
    """Decides on tool calls. One question at a time, in the order they came; without a terminal (`ask` None) the answer is no."""

    def __init__(self, mode: str, ask: Ask | None) -> None:
        self._mode = mode
        self._ask = ask if mode in ("ask", "edits") else None
        self._turn = asyncio.Lock()
        self.refused: list[str] = []

    async def may_call(self, call: ToolCall, effect: Effect, verdict: Verdict) -> str:
        """Empty where the call may run, else why not."""
        if verdict.decision == "deny":
            return f"denied by {verdict.reason}"
        if effect in _ALLOWED[self._mode] and verdict.decision == "allow":
            return ""
        return await self._question(describe(call))

    async def may_leave(self, path: str) -> str:
        """Empty where a tool may touch this one path outside the root, else why not."""
        return "" if self._mode == "all" else await self._question(f"touch {path}, which is outside this folder")

    def can(self, effect: Effect) -> bool:
        """Whether such a call could be approved at all."""
        return effect in _ALLOWED[self._mode] or self._ask is not None

    async def _question(self, what: str) -> str:
        if self._ask is not None:
            async with self._turn:
                if await self._ask(what):
                    return ""
            why = "the user said no"
        else:
            why = f"it needs an approval that nobody can give here (--approve {self._mode})"
        self.refused.append(what)
        return why


def describe(call: ToolCall) -> str:
    """A call as the user reads it: the whole command, or the tool with its arguments."""
    try:
        arguments: dict[str, Any] = json.loads(call.arguments)
    except ValueError:
        return f"{call.name} {call.arguments}"
    if call.name == "run" and isinstance(arguments.get("command"), str):
        return f"run {arguments['command']}"
    shown = [f"{value}" if name == "path" else f"{name}: {value}" for name, value in arguments.items()]
    return f"{call.name} {', '.join(shown)}"
