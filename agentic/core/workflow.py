"""The workflow graph:

plan → check_complexity ─┬─ execute ────────┐
                         └─ spawn_sub_agents ┴→ reflect → done, or plan again
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from agentic.config import Settings
from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.delegation import Delegation
from agentic.core.judge import Judge
from agentic.core.kinds import refused
from agentic.errors import ContextOverflow, ModelOutputError, PluginError, RequestRejected
from agentic.events import ComplexityEstimated, WorkflowEvent
from agentic.hooks.complexity import ComplexityEstimator, Llm
from agentic.hooks.decomposition import Decomposer
from agentic.hooks.fan_out import FanOut
from agentic.lib.record import record
from agentic.types import Message, Outcome, Plan

DONE = "done"
TRIES = 2  # of one agent, before a task whose parts are separable is split after all


@record(frozen=True, slots=True)
class Planning:
    """The plan of a task and its limits. `make_decomposer` runs only when the task is split; `seconds` are the whole task's."""

    settings: Settings
    seconds: float
    llm: Llm
    small: Llm
    estimator: ComplexityEstimator
    make_decomposer: Callable[[], Decomposer]


class Workflow:
    """A task's way through the graph."""

    def __init__(
        self, task: str, agent: Agent, judge: Judge, services: AgentServices, planning: Planning, delegation: Delegation
    ) -> None:
        self._task = task
        self._services = services
        self._settings = planning.settings
        self._planning = planning
        self._delegation = delegation
        self._agent = agent
        self._judge = judge
        self._is_new, self._separable = True, False
        self._whole: Outcome | None = None  # what sub-agents made of it
        self._taken: tuple[Plan, FanOut] | None = None
        self._failures = self._sent_on = 0  # times that it failed, and that a plugin did not let it end
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
            async with asyncio.timeout(self._planning.seconds) as self._services.approver.limits["main"]:
                for _ in range(self._settings.workflow.recursion_limit):
                    await self._services.events.emit(WorkflowEvent(node=node))
                    node = await self._nodes[node]()
                    if node == DONE:
                        break
        except TimeoutError:
            self._status, self._result = "timeout", "the run's time was up (workflow.timeout_seconds)"
        except asyncio.CancelledError:  # Ctrl-C: what came so far is the result
            self._status, self._result = "interrupted", self._agent.last_words
        finally:
            self._services.approver.limits.pop("main", None)
        done_by_others = self._whole.summary if self._whole else self._delegation.so_far()
        said = "\n".join(part for part in (done_by_others, self._result) if part)
        outcome = Outcome(self._status, said, tuple(self._services.workspace.written), self._agent.usage, self._judge.evidence)
        return outcome if self._whole is None else self._with_parts(outcome, self._whole)

    def _with_parts(self, outcome: Outcome, whole: Outcome) -> Outcome:
        """Returns `outcome` with the parts' evidence and open questions, and with the missing parts that are still undone."""
        undone = self._agent.tools.work.undone
        left = tuple(title for title in whole.missing if title in undone)
        evidence = (*whole.evidence, *outcome.evidence)
        return replace(outcome, evidence=evidence, open_questions=whole.open_questions, missing=left, unwritten=undone)

    async def _plan(self) -> str:
        """Free: the model plans as it goes. A task that comes back from `reflect` has its next step in the history already."""
        if not self._is_new:
            return "execute"
        failing = await self._judge.opening()
        self._agent.start(self._task, failing.word, failing.files)
        return "check_complexity"

    async def _check_complexity(self) -> str:
        self._is_new, settings, emit = False, self._settings.sub_agents, self._services.events.emit
        self._taken = await self._delegation.take(self._task)
        if self._taken is not None:
            return "spawn_sub_agents"
        if settings.enabled and (settings.always or settings.complexity_threshold == 0):
            self._separable = True
            await emit(ComplexityEstimated(score=1.0, separable=True, reasons=("the user wants it split",)))
            return "spawn_sub_agents"
        found = await self._planning.estimator.estimate(self._task, self._planning.small)
        tools, may = self._agent.tools, self._services.approver.can("write")
        able = any(spec.effect != "read" and not refused(tools.kind, spec) for spec in self._agent.specs)
        tools.work.tried = found.changes and may and able
        self._separable = found.separable
        await emit(ComplexityEstimated(score=found.score, separable=found.separable, reasons=found.reasons))
        return "spawn_sub_agents" if self._may_split() and found.score > settings.complexity_threshold else "execute"

    def _may_split(self) -> bool:
        return self._settings.sub_agents.enabled and self._separable and self._whole is None

    async def _execute(self) -> str:
        self._status, self._result = await self._agent.run(self._delegation.wants_it)
        if self._status != "stopped":
            return "reflect"
        self._taken = await self._delegation.take(self._task, await self._judge.look())
        return "execute" if self._taken is None else "spawn_sub_agents"

    async def _spawn_sub_agents(self) -> str:
        plan, fan_out = self._taken or (await self._usable_plan(), None)
        if plan is None:
            self._separable = False  # it is not tried again
            return "execute"
        await self._services.proofs.before_change()
        whole = await self._delegation.carry_out(plan, self._task, fan_out)
        if whole.status == "not_needed":  # the lead does it
            return "execute"
        self._whole = whole
        self._agent.context.history.add(Message("assistant", self._whole.summary))
        self._agent.tools.work.delegated(self._whole)
        self._judge.plan_check, self._judge.asks_to_show = plan.check, False
        is_refused = self._taken is not None and self._whole.status == "refused"  # the user wants none of it
        self._status, self._result = ("refused" if is_refused else "done"), ""
        return "reflect"

    async def _usable_plan(self) -> Plan | None:
        """None, with a line that says why, where one agent has to do it all."""
        try:
            plan = await self._planning.make_decomposer().decompose(self._task + self._what_fails(), self._planning.llm)
        except (ModelOutputError, ContextOverflow, RequestRejected, PluginError) as error:  # the server may know no schemas
            why = "; ".join(filter(None, (str(error), error.remedy if isinstance(error, PluginError) else "")))
        else:
            if not (problems := plan.problems()):
                return plan
            why = f"the plan cannot be used ({'; '.join(problems)})"
        await self._services.events.emit(WorkflowEvent(node="spawn_sub_agents", message=f"{why}; one agent does it all"))
        return None

    def _what_fails(self) -> str:
        """A remark to the task, "" where nothing does."""
        check = self._judge.verdict.check
        return f"\n\n(one agent has tried; `{check}` still fails)" if check else ""

    async def _before_end(self) -> str:
        """Returns the text of a plugin that does not let it end, "" where it may."""
        changes = tuple(self._agent.tools.work.changes.values())
        given = {"task": self._task, "result": self._result, "times": self._sent_on, "changes": changes}
        return await self._services.events.before_end(agent="main", workspace=self._services.workspace, **given)

    async def _reflect(self) -> str:
        if self._status != "done":
            return DONE
        if await self._judge.goes_on():
            self._failures += 1
            self._taken = await self._delegation.take(self._task, self._judge.verdict)
            if self._taken is not None:
                return "spawn_sub_agents"
            return "spawn_sub_agents" if self._failures == TRIES and self._may_split() else "plan"
        self._judge.verdict = self._delegation.settle(self._judge.verdict)
        if word := await self._before_end():
            self._sent_on += 1
            self._agent.tell(word)
            return "plan"
        verdict = self._judge.verdict
        refused = self._whole is not None and self._whole.status == "refused" and verdict.status == "gave_up"
        self._status = "refused" if refused else verdict.status  # an approval would have helped
        said = self._result or ("" if self._whole else self._agent.tools.work.summary())
        known = self._whole is not None and verdict.note in self._whole.summary
        self._result = "\n".join(part for part in (said, "" if known else verdict.note) if part)
        return DONE
