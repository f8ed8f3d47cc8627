"""Who may do what: the mode the user chose, what plugins say, and a question where both leave one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from agentic.hooks.events import Verdict
from agentic.hooks.tools import CALLER
from agentic.types import Effect

Ask = Callable[[str], Awaitable[bool]]
"""Shows a question to the user and gives the answer."""

_ALLOWED: dict[str, set[Effect]] = {
    "ask": {"read"},
    "edits": {"read", "write"},
    "all": {"read", "write", "execute"},
    "none": {"read"},
}


class Approver:
    """Decides on tool calls. One question at a time, in the order they came; without a terminal (`ask` None) the answer is no.

    `limits` are the time limits of agents, "main" that of the whole: a user who thinks costs nobody's time.
    """

    def __init__(self, mode: str, ask: Ask | None) -> None:
        self._mode = mode
        self._ask = ask if mode in ("ask", "edits") else None
        self._turn = asyncio.Lock()
        self.limits: dict[str, asyncio.Timeout] = {}

    async def may_call(self, name: str, arguments: Mapping[str, Any], effect: Effect, verdict: Verdict) -> str:
        """Empty where the call may run with exactly these arguments, else why not."""
        if verdict.decision == "deny":
            return f"denied by {verdict.reason}"
        if effect in _ALLOWED[self._mode] and verdict.decision == "allow":
            return ""
        return await self._question(describe(name, arguments))

    async def may_leave(self, path: str) -> str:
        """Empty where a tool may touch this one path outside the root, else why not."""
        return "" if self._mode == "all" else await self._question(f"touch {path}, which is outside this folder")

    def can(self, effect: Effect) -> bool:
        """Whether such a call could be approved at all."""
        return effect in _ALLOWED[self._mode] or self._ask is not None

    async def _question(self, what: str) -> str:
        if self._ask is not None:
            agent = CALLER.get()
            with _stopped(self.limits.get(agent) if agent != "main" else None):
                async with self._turn:
                    with _stopped(self.limits.get("main")):
                        if await self._ask(what):
                            return ""
            return "the user said no"
        return f"it needs an approval that nobody can give here (--approve {self._mode})"


@contextmanager
def _stopped(limit: asyncio.Timeout | None) -> Iterator[None]:
    end = limit.when() if limit else None
    if limit is None or end is None or limit.expired():
        yield
        return
    loop = asyncio.get_running_loop()
    left = end - loop.time()
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(loop.time() + left)


def describe(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as the user reads it: the whole command, or the tool with all of its arguments."""
    if name == "run" and set(arguments) == {"command"}:
        return f"run {arguments['command']}"
    shown = [f"{value}" if key == "path" else f"{key}: {value}" for key, value in arguments.items()]
    return f"{name} {', '.join(shown)}"
