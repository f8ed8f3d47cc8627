"""A plan from whoever made it (the decomposer, or an agent that delegates) to one result."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from agentic.config import Settings
from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.kinds import kind_named
from agentic.core.sub_agents.team import Team
from agentic.errors import ConfigError, PluginError, ToolError
from agentic.events import PlanFinished, PlanMade
from agentic.hooks.fan_out import FanOut
from agentic.hooks.runner import Runner
from agentic.hooks.tools import CALLER
from agentic.types import Outcome, Plan, Subtask


class SubAgents:
    """Carries plans out for `parent`. `make_fan_out` runs when the first plan is there; `runner` None is this process."""

    def __init__(
        self,
        settings: Settings,
        make_fan_out: Callable[[], FanOut],
        parent: Agent,
        services: AgentServices,
        runner: Runner | None = None,
    ) -> None:
        self._settings = settings
        self._make_fan_out = make_fan_out
        self._parent = parent
        self._services = services
        self._runner = runner
        self._team: Team | None = None

    async def carry_out(self, plan: Plan, task: str) -> Outcome:
        """A result of all parts. Raises CancelledError only; `so_far` has what was done by then."""
        parent, services = self._parent, self._services
        await services.events.emit(PlanMade(subtasks=tuple(map(_shown, plan.subtasks))))
        self._team = team = Team(plan, task, parent, services, self._settings, self._runner)
        try:
            await team.isolate()
            outcomes: Sequence[Outcome] = await self._make_fan_out().run(plan, team.spawn)
        except PluginError as error:  # what was done by then is the result; the agent goes on from there
            services.events.complain(error)
            outcomes = ()
        finally:
            await team.close()
        self._team = None
        result = team.report(outcomes)
        await services.events.emit(PlanFinished(status=result.status, report=result.summary))
        return result

    def so_far(self) -> str:
        """Returns the summary so far of a plan that is being carried out, "" without one."""
        team, self._team = self._team, None
        return team.report().summary if team else ""

    async def delegate(self, plan: Plan) -> Outcome:
        """The same for an agent in the middle of its work. Raises ToolError for a sub-agent: one level is all there is."""
        if CALLER.get() != "main":
            await refuse(plan)
        if not self._settings.sub_agents.enabled:
            raise ToolError("sub-agents are switched off here: do it yourself")
        parent, services = self._parent, self._services
        try:
            for name in filter(None, (each.agent for each in plan.subtasks)):
                kind_named(name, services.kinds)
        except ConfigError as error:
            raise ToolError(error.with_remedy) from error
        await services.proofs.before_change()
        outcome = await self.carry_out(plan, parent.task)
        parent.tools.work.delegated(outcome)
        return outcome


async def refuse(plan: Plan) -> Outcome:
    """The answer to a sub-agent that delegates. Raises ToolError."""
    raise ToolError("you are a sub-agent and cannot start others: do your part yourself")


def _shown(subtask: Subtask) -> dict[str, Any]:
    return asdict(subtask) | {"description": subtask.description}
