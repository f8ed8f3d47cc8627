"""A plan from whoever made it (the decomposer, or an agent that delegates) to one result."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from agentic.errors import ToolError
from agentic.events import PlanFinished, PlanMade
from agentic.hooks.fan_out import FanOut
from agentic.hooks.tools import CALLER
from agentic.run.agent import Agent, Means
from agentic.run.sub_agents.team import Team
from agentic.types import Outcome, Plan, Subtask


class SubAgents:
    """Carries plans out for one agent. `make_fan_out` runs when the first plan is there."""

    def __init__(self, settings: Mapping[str, Any], make_fan_out: Callable[[], FanOut]) -> None:
        self._settings = settings
        self._make_fan_out = make_fan_out
        self._family: tuple[Agent, Means] | None = None
        self._team: Team | None = None

    def belong_to(self, parent: Agent, means: Means) -> None:
        """Whose children they are, and what they work with."""
        self._family = parent, means

    async def carry_out(self, plan: Plan, task: str) -> Outcome:
        """One result of all parts. Raises CancelledError only; `so_far` has what was done by then."""
        assert self._family is not None
        parent, means = self._family
        await means.events.emit(PlanMade(subtasks=tuple(map(_shown, plan.subtasks))))
        self._team = team = Team(plan, task, parent, means, self._settings)
        try:
            await team.isolate()
            outcomes = await self._make_fan_out().run(plan, team.spawn)
        finally:
            await team.close()
        self._team = None
        result = team.report(outcomes)
        await means.events.emit(PlanFinished(status=result.status, report=result.summary))
        return result

    def so_far(self) -> str:
        """What has come of a plan that is being carried out, "" without one."""
        team, self._team = self._team, None
        return team.report().summary if team else ""

    async def delegate(self, plan: Plan) -> Outcome:
        """The same for an agent in the middle of its work. Raises ToolError for a sub-agent: one level is all there is."""
        assert self._family is not None
        if CALLER.get() != "main":
            raise ToolError("you are a sub-agent and cannot start others: do your part yourself")
        if not self._settings["sub_agents.enabled"]:
            raise ToolError("sub-agents are switched off here: do it yourself")
        parent = self._family[0]
        outcome = await self.carry_out(plan, parent.task)
        parent.tools.evidence.undone = outcome.missing
        return outcome


def _shown(subtask: Subtask) -> dict[str, Any]:
    return asdict(subtask) | {"description": subtask.description}
