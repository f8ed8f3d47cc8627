"""The plan on sub-agents in this process: a graph on a pool that never leaves a place empty."""

import asyncio
from collections.abc import Iterable, Mapping

from agentic import FanOut, Outcome, Plan, Provider, Setup, Spawn, Subtask, hookimpl


class LocalFanOut:
    """Never more than `sub_agents.max_concurrent` at once. One that fails stops nobody but those that need it."""

    def __init__(self, setup: Setup) -> None:
        self._most = setup.settings.sub_agents.max_concurrent

    async def run(self, plan: Plan, spawn: Spawn) -> list[Outcome]:
        places = asyncio.Semaphore(self._most)
        tasks: dict[str, asyncio.Task[Outcome]] = {}
        for subtask in sorted(plan.subtasks, key=lambda subtask: -subtask.priority):
            tasks[subtask.id] = asyncio.ensure_future(_one(subtask, spawn, places, tasks))
        try:
            return [await asyncio.shield(tasks[subtask.id]) for subtask in plan.subtasks]
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _one(subtask: Subtask, spawn: Spawn, places: asyncio.Semaphore, tasks: Mapping[str, "asyncio.Task[Outcome]"]) -> Outcome:
    """Its outcome, whatever happens in it. A subtask waits outside the pool for those that it depends on."""
    await asyncio.sleep(0)  # until all tasks are there
    for name in subtask.depends_on:
        needed = await asyncio.shield(tasks[name])
        if needed.status != "done":
            return Outcome("skipped", f"it needs {name}, which was not done ({needed.status})")
    async with places:
        child = asyncio.ensure_future(spawn(subtask))
        try:
            await asyncio.wait([child])
        except asyncio.CancelledError:
            child.cancel()
            await asyncio.gather(child, return_exceptions=True)
            raise
        if child.cancelled():
            return Outcome("failed", "it was cancelled")
        error = child.exception()
        if error is not None:
            return Outcome("failed", f"{type(error).__name__}: {error}")
        return child.result()


@hookimpl
def agentic_fan_outs() -> Iterable[Provider[FanOut]]:
    yield Provider("local", "sub-agents in this process", LocalFanOut, default=True)
