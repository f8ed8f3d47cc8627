"""The plan on sub-agents."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from agentic.hooks import Provider, hookspec
from agentic.types import Outcome, Plan, Subtask

Spawn = Callable[[Subtask], Awaitable[Outcome]]


class FanOut(Protocol):
    async def run(self, plan: Plan, spawn: Spawn) -> list[Outcome]:
        """Runs every subtask through `spawn`; one outcome each, in the plan's order. One failure never cancels siblings."""
        ...


@hookspec
def agentic_fan_outs() -> Iterable[Provider[FanOut]]:
    """Offers fan-outs, selected by `sub_agents.fan_out`."""
    raise NotImplementedError
