"""The plan on sub-agents in this process."""

import asyncio
from collections.abc import Iterable

from agentic import AgenticError, FanOut, Outcome, Plan, Provider, Setup, Spawn, Subtask, hookimpl


class LocalFanOut:
    """Never more than `sub_agents.max_concurrent` at once; a place is filled again as soon as it is free."""

    def __init__(self, setup: Setup) -> None:
        self._places = asyncio.Semaphore(setup.settings["sub_agents.max_concurrent"])
        self._seconds = setup.settings["sub_agents.timeout_seconds"]

    async def run(self, plan: Plan, spawn: Spawn) -> list[Outcome]:
        return list(await asyncio.gather(*(self._one(subtask, spawn) for subtask in plan.subtasks)))

    async def _one(self, subtask: Subtask, spawn: Spawn) -> Outcome:
        async with self._places:
            try:
                async with asyncio.timeout(self._seconds):
                    return await spawn(subtask)
            except TimeoutError:
                return Outcome("timeout", f"subtask {subtask.id} took longer than {self._seconds} s")
            except AgenticError as error:
                return Outcome("gave_up", f"subtask {subtask.id}: {error}")


@hookimpl
def agentic_fan_outs() -> Iterable[Provider[FanOut]]:
    yield Provider("local", "sub-agents in this process", LocalFanOut)
