"""Who may do what: the mode the user chose, what the gates say, and a question where both leave one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentic.events import ApprovalAnswered, ApprovalAsked, Event
from agentic.hooks.tools import CALLER
from agentic.types import Effect, ToolSpec

if TYPE_CHECKING:
    from agentic.plugins.dispatcher import Ruling

_ALLOWED: dict[str, set[Effect]] = {
    "ask": {"read"},
    "edits": {"read", "write"},
    "all": {"read", "write", "execute"},
    "none": {"read"},
}


@dataclass(frozen=True, slots=True)
class Question:
    """`what` an `agent` wants to do, in full. `reason` and `plugin` are those of a gate that wants it asked."""

    what: str
    agent: str = "main"
    reason: str = ""
    plugin: str = ""


Ask = Callable[[Question], Awaitable[bool]]
"""Shows a question to the user and gives the answer."""


class Approver:
    """Decides on tool calls. One question at a time, in the order they came; with nobody to ask (`ask` None) the answer is no.

    `limits` are the time limits of agents, "main" that of the whole: a user who thinks costs nobody's time.
    """

    def __init__(self, mode: str, ask: Ask | None, emit: Callable[[Event], Awaitable[None]]) -> None:
        self._mode = mode
        self._emit = emit
        self._ask = ask if mode != "none" else None
        self._turn = asyncio.Lock()
        self.limits: dict[str, asyncio.Timeout] = {}

    async def may_call(self, tool: ToolSpec, ruling: "Ruling") -> str:
        """Empty where the call may run with exactly the ruling's arguments, else why not."""
        if ruling.decision == "deny":
            return f"denied by plugin {ruling.plugin}" + (f": {ruling.reason}" if ruling.reason else "")
        allowed = ruling.granted or tool.effect in _ALLOWED[self._mode]
        if ruling.decision == "allow" and allowed:
            return ""
        return await self._answer(Question(describe(tool, ruling.arguments), CALLER.get(), ruling.reason, ruling.plugin))

    async def may_leave(self, path: str) -> str:
        """Empty where a tool may touch this one path outside the root, else why not."""
        if self._mode == "all":
            return ""
        return await self._answer(Question(f"touch {path}, which is outside this folder", CALLER.get()))

    def free(self, effect: Effect) -> bool:
        """Whether such a call needs no question."""
        return effect in _ALLOWED[self._mode]

    def can(self, effect: Effect) -> bool:
        """Whether such a call could be approved at all."""
        return effect in _ALLOWED[self._mode] or self._ask is not None

    async def _answer(self, question: Question) -> str:
        if self._ask is not None:
            with _stopped(self.limits.get(question.agent) if question.agent != "main" else None):
                async with self._turn:
                    with _stopped(self.limits.get("main")):
                        granted = await self._put(self._ask, question)
            return "" if granted else "the user said no"
        asked_by = f"; plugin {question.plugin} wants it asked: {question.reason}" if question.plugin else ""
        return f"it needs an approval that nobody can give here (--approve {self._mode}){asked_by}"

    async def _put(self, ask: Ask, question: Question) -> bool:
        """The screen is told before and after: the question itself is for whoever asks."""
        what, agent = question.what, question.agent
        await self._emit(ApprovalAsked(what=what, reason=question.reason, plugin=question.plugin, agent=agent))
        granted = await ask(question)
        await self._emit(ApprovalAnswered(what=what, granted=granted, agent=agent))
        return granted


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


def describe(tool: ToolSpec, arguments: Mapping[str, Any]) -> str:
    """A call as the user reads it: the whole command, or the tool with all of its arguments."""
    if tool.runs and set(arguments) == {tool.runs}:
        return f"{tool.name} {arguments[tool.runs]}"
    shown = [f"{value}" if key == "path" else f"{key}: {value}" for key, value in arguments.items()]
    return f"{tool.name} {', '.join(shown)}"
