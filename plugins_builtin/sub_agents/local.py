"""The plan as a graph on a pool that never leaves a place empty."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from agentic import FanOutSetup, Outcome, Parts, Plan, PluginError, Subtask
from agentic.events import PlanFinished, PlanMade
from agentic.hooks.fan_out import DONE
from agentic.hooks.runner import Runner

if TYPE_CHECKING:
    from plugins_builtin.sub_agents.team import Team


class LocalFanOut:
    """Never more than `sub_agents.max_concurrent` at once. One that fails stops nobody but those that need it."""

    def __init__(self, most: int) -> None:
        self._most = most

    async def run(self, plan: Plan, spawn: Parts) -> list[Outcome]:
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


class SubAgents(LocalFanOut):
    """Carries whole plans out for a lead, in this process or through a runner."""

    def __init__(self, setup: FanOutSetup) -> None:
        super().__init__(setup.settings.sub_agents.max_concurrent)
        self._settings = setup.settings
        self._lead = setup.lead
        self._prompt = setup.prompt
        self._runner: Runner | None = None
        self._team: Team | None = None
        if setup.settings.sub_agents.runner:
            from plugins_builtin.sub_agents.elsewhere import runner_of

            self._runner = runner_of(setup)

    async def carry_out(self, plan: Plan, task: str, schedule: Callable[[Plan, Parts], Awaitable[list[Outcome]]]) -> Outcome:
        """A result of all parts. Raises CancelledError only; `so_far` has what was done by then."""
        from plugins_builtin.sub_agents.team import Team, task_to_json

        lead = self._lead
        await lead.emit(PlanMade(subtasks=tuple(map(task_to_json, plan.subtasks))))
        self._team = team = Team(plan, task, lead, self._settings, self._prompt, self._runner)
        outcomes: Sequence[Outcome] = ()
        try:
            await team.isolate()
            outcomes = await schedule(plan, team)
        except PluginError as error:  # what was done by then is the result; the agent goes on from there
            lead.complain(error)
        finally:
            await team.close()
        self._team = None
        result = team.report(outcomes)
        await lead.emit(PlanFinished(status=result.status, report=result.summary))
        return result

    def so_far(self) -> str:
        """Returns the summary so far of a plan that is being carried out, "" without one."""
        team, self._team = self._team, None
        return team.report().summary if team else ""

    async def aclose(self) -> None:
        """Closes the runner."""
        close = getattr(self._runner, "aclose", None)
        if close is not None:
            await close()


async def _one(subtask: Subtask, spawn: Parts, places: asyncio.Semaphore, tasks: Mapping[str, "asyncio.Task[Outcome]"]) -> Outcome:
    """Its outcome, whatever happens in it. A subtask waits outside the pool for those that it depends on."""
    await asyncio.sleep(0)  # until all tasks are there
    for name in subtask.depends_on:
        needed = await asyncio.shield(tasks[name])
        if needed.status not in DONE:
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
