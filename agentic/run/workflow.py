"""The workflow graph:

plan → check_complexity ─┬─ execute ────────┐
                         └─ spawn_sub_agents ┴→ reflect → done, or plan again
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from agentic.errors import ModelOutputError
from agentic.events import ComplexityEstimated, PlanMade, WorkflowEvent
from agentic.hooks.complexity import ComplexityEstimator, Llm
from agentic.hooks.decomposition import Decomposer
from agentic.hooks.fan_out import FanOut
from agentic.run.agent import Agent, Means
from agentic.run.outcome.reflection import Reflection
from agentic.run.sub_agents import SubAgents
from agentic.types import Complexity, Outcome, Subtask

DONE = "done"


class Workflow:
    """One task's way through the graph. The makers of decomposer and fan-out run only when a task is split."""

    def __init__(
        self,
        task: str,
        agent: Agent,
        means: Means,
        settings: Mapping[str, Any],
        llm: Llm,
        estimator: ComplexityEstimator,
        make_splitters: Callable[[], tuple[Decomposer, FanOut]],
    ) -> None:
        self._task = task
        self._means = means
        self._settings = settings
        self._llm = llm
        self._estimator = estimator
        self._make_splitters = make_splitters
        self._agent = agent
        self._reflection = Reflection(self._agent, means, task)
        self._complexity: Complexity | None = None
        self._status, self._result = "limit", "the limit of workflow steps was reached (workflow.recursion_limit)"
        self._nodes: dict[str, Callable[[], Awaitable[str]]] = {
            "plan": self._plan,
            "check_complexity": self._check_complexity,
            "execute": self._execute,
            "spawn_sub_agents": self._spawn_sub_agents,
            "reflect": self._reflect,
        }

    async def run(self) -> Outcome:
        """How the task ended. Raises AgenticError when no model could be asked."""
        node = "plan"
        try:
            async with asyncio.timeout(self._settings["workflow.timeout_seconds"]):
                for _ in range(self._settings["workflow.recursion_limit"]):
                    await self._means.events.emit(WorkflowEvent(node=node))
                    node = await self._nodes[node]()
                    if node == DONE:
                        break
        except TimeoutError:
            self._status, self._result = "timeout", "the run's time was up (workflow.timeout_seconds)"
        except asyncio.CancelledError:  # Ctrl-C: what came so far is the result
            self._status, self._result = "interrupted", self._agent.last_words
        return Outcome(self._status, self._result, tuple(self._means.workspace.written), self._agent.usage)

    async def _plan(self) -> str:
        """Free: the model plans as it goes. A task that comes back from `reflect` has its next step in the history already."""
        if self._complexity is not None:
            return "execute"
        self._agent.start(self._task)
        await self._reflection.look_first()
        return "check_complexity"

    async def _check_complexity(self) -> str:
        self._complexity = found = await self._estimator.estimate(self._task, self._llm)
        await self._means.events.emit(ComplexityEstimated(score=found.score, separable=found.separable, reasons=found.reasons))
        split = self._settings["sub_agents.enabled"] and found.separable
        return "spawn_sub_agents" if split and found.score > self._settings["sub_agents.complexity_threshold"] else "execute"

    async def _execute(self) -> str:
        self._status, self._result = await self._agent.run()
        return "reflect"

    async def _spawn_sub_agents(self) -> str:
        decomposer, fan_out = self._make_splitters()
        try:
            plan = await decomposer.decompose(self._task, self._llm)
        except ModelOutputError as error:
            await self._means.events.emit(WorkflowEvent(node="spawn_sub_agents", message=f"{error}; one agent does it all"))
            return "execute"
        if problems := plan.problems():
            message = f"the plan cannot be used ({'; '.join(problems)}); one agent does it all"
            await self._means.events.emit(WorkflowEvent(node="spawn_sub_agents", message=message))
            return "execute"
        await self._means.events.emit(PlanMade(subtasks=tuple(map(_shown, plan.subtasks))))
        children = SubAgents(self._agent, self._means, self._settings, self._task)
        whole = children.aggregate(plan, await fan_out.run(plan, children.spawn))
        self._agent.usage += whole.usage
        self._status, self._result = whole.status, whole.result
        return DONE

    async def _reflect(self) -> str:
        if self._status != "done":
            return DONE
        again = await self._reflection.judge()
        if again:
            return "plan"
        self._status, note = self._reflection.status, self._reflection.note
        said = self._result or self._agent.tools.evidence.summary()
        self._result = "\n".join(part for part in (said, note) if part)
        return DONE


def _shown(subtask: Subtask) -> dict[str, Any]:
    return asdict(subtask) | {"description": subtask.description}
