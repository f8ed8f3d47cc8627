"""The agents of one plan: the one place that spawns, counts and ends them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from agentic.config import Settings
from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.kinds import within
from agentic.core.sub_agents.briefing import MAX_SHOWN, briefing, open_key
from agentic.core.sub_agents.elsewhere import Elsewhere
from agentic.core.sub_agents.leases import Leases
from agentic.core.sub_agents.member import Done, work
from agentic.core.sub_agents.report import PartResult, outcome_of, report
from agentic.core.sub_agents.worktrees import Worktrees
from agentic.errors import AgenticError, ToolError
from agentic.events import SubAgentFinished, SubAgentStarted, Warned
from agentic.hooks.batching import Lane
from agentic.hooks.runner import Runner
from agentic.lib.workspace import Workspace
from agentic.sessions import ConversationHistory
from agentic.types import Change, Outcome, Plan, Subtask

LEAST_CALLS = 2  # to do something, and to report
_NONE: Mapping[str, Change] = MappingProxyType({})


class Team:
    """Children of one agent. They have its system text and tools byte for byte, so their prompts begin in its cache."""

    def __init__(
        self, plan: Plan, task: str, parent: Agent, services: AgentServices, settings: Settings, runner: Runner | None = None
    ) -> None:
        self._plan = plan
        self._task = task
        self._parent = parent
        self._services = services
        self._settings = settings
        self._runner = runner
        self._turns: int = settings.sub_agents.subtask_max_iterations
        self._seconds: float = settings.sub_agents.timeout_seconds
        self._parts: dict[str, PartResult] = {}
        self._started = time.monotonic()
        self._histories = {subtask.id: self._history(subtask.id) for subtask in plan.subtasks}
        self._trees: Worktrees | None = None
        self._elsewhere: Elsewhere | None = None
        self._leases = Leases({self._histories[subtask.id].agent: subtask.writes for subtask in plan.subtasks})

    async def isolate(self) -> None:
        """Copies for a runner; worktrees where the plan asks for them and git can make them; else leases keep writers apart."""
        if self._runner is not None:
            try:
                self._elsewhere = await Elsewhere.open(self._runner, self._settings, self._services, self._check)
            except ToolError as error:
                why = f"no copies of this folder ({error}); the sub-agents work in this process instead"
                await self._services.events.emit(Warned(message=why))
            else:
                return
        if self._plan.isolation != "worktree":
            return
        try:
            if why := await self._services.approver.may_do("make git worktrees for the sub-agents", "write"):
                raise ToolError(why)
            self._trees = await Worktrees.open(self._services.workspace, self._check)
        except ToolError as error:
            why = f"no worktrees here ({error}); a file is one sub-agent's at a time instead"
            await self._services.events.emit(Warned(message=why))

    async def close(self) -> None:
        """When all have ended."""
        if self._trees is not None:
            await self._trees.close()
        if self._elsewhere is not None:
            await self._elsewhere.close()

    def _history(self, name: str) -> ConversationHistory:
        """An empty one: an earlier plan of the session may have had a sub-agent of that name."""
        mine, number = self._parent.context.history, 1
        while True:
            agent = f"sub-{name}" if number == 1 else f"sub-{name}-{number}"
            history = ConversationHistory(mine.session, mine.blackboard, agent)
            if not len(history):
                return history
            number += 1

    async def spawn(self, subtask: Subtask) -> Outcome:
        """Does one part within its turns and its time; what was done by then is its outcome. Raises nothing but CancelledError."""
        calls, history, emit = self._services.calls, self._histories[subtask.id], self._services.events.emit
        if not (calls.for_one_more if self._elsewhere is None else calls.left > LEAST_CALLS):
            return self._keep(subtask, Outcome("limit", "no model call was left for it (workflow.max_iterations)"), 0.0)
        try:
            space = await self._space(history.agent)
        except ToolError as error:
            return self._keep(subtask, Outcome("failed", f"it got no worktree: {error}"), 0.0)
        services = replace(self._services, workspace=space)
        agent = Agent(services, history, self._turns, Lane.SUB_AGENT)
        agent.tools.kind = within(self._parent.tools.kind, services.kinds.get(subtask.agent))
        await emit(SubAgentStarted(task=subtask.description, title=subtask.title, agent=history.agent))
        started = time.monotonic()
        calls.sub_agents += 1
        outcome: Outcome | None = None
        try:
            does = self._here if self._elsewhere is None else self._there
            outcome = await does(agent, services, subtask)
        finally:
            calls.sub_agents -= 1
            self._leases.release(history.agent)
            outcome = outcome or self._outcome(agent, services, subtask, ("interrupted", "", ()))
            self._keep(subtask, outcome, time.monotonic() - started, agent.tools.work.changes)
            await emit(SubAgentFinished(status=outcome.status, files=outcome.files, agent=history.agent))
        return outcome

    async def _here(self, agent: Agent, services: AgentServices, subtask: Subtask) -> Outcome:
        done = await work(agent, services, subtask, self._seconds, lambda: self._begin(agent, subtask))
        if self._trees is None:
            return self._outcome(agent, services, subtask, done)
        status, said, files = await self._merged(self._trees, agent.context.history.agent, *done[:2])
        return self._outcome(agent, services, subtask, (status, said, done[2]), files)

    async def _there(self, agent: Agent, services: AgentServices, subtask: Subtask) -> Outcome:
        assert self._elsewhere is not None
        self._begin(agent, subtask)
        outputs = [part.outcome.summary for part in self._needed(subtask)]
        outcome = await self._elsewhere.run(agent, subtask, self._seconds, self._turns_of_one(), outputs)
        agent.extra_usage += outcome.usage
        return replace(outcome, open_questions=self._questions(subtask, agent.context.history.agent))

    def _turns_of_one(self) -> int:
        """An equal share of the calls that are left, which those that run have had already."""
        calls = self._services.calls
        waiting = len(self._plan.subtasks) - len(self._parts) - calls.sub_agents + 1
        return max(1, min(self._turns, calls.left // max(1, waiting)))

    def _begin(self, agent: Agent, subtask: Subtask) -> None:
        needed, brief = self._needed(subtask), agent.profile.brief
        told = briefing(self._services.prompts, subtask, self._plan, self._task, self._turns, needed, brief)
        kind = agent.tools.kind
        agent.start(f"{kind.text}\n\n{told}" if kind is not None else told)

    def _outcome(
        self, agent: Agent, services: AgentServices, subtask: Subtask, done: Done, files: tuple[str, ...] | None = None
    ) -> Outcome:
        """`files` are those that changed in the folder, None for all that it wrote."""
        status, said, missing = done
        said = said or agent.tools.work.summary() or agent.last_words[:MAX_SHOWN]
        files = tuple(services.workspace.written) if files is None else files
        questions = self._questions(subtask, agent.context.history.agent)
        return outcome_of(subtask, status, said, files, agent.tools.work, agent.usage, questions, missing)

    def _questions(self, subtask: Subtask, agent: str) -> tuple[str, ...]:
        """Returns the values that the sub-agent shared as missing or undecided, under the key that its briefing names."""
        entries = self._parent.context.history.blackboard.entries
        return tuple(entry.value for entry in entries if entry.by == agent and entry.key == open_key(subtask))

    async def _merged(self, trees: Worktrees, agent: str, status: str, said: str) -> tuple[str, str, tuple[str, ...]]:
        """(status, what it said, the files that changed in the folder) once its work is in the folder, or why it is not."""
        try:
            return status, said, await trees.merge(agent)
        except AgenticError as error:
            return "failed", f"{said}\nNone of its changes were taken: {error}", ()

    async def _space(self, agent: str) -> Workspace:
        """The folder as the sub-agent has it. Raises ToolError where it cannot get a worktree."""
        if self._trees is not None:
            return self._services.workspace.view(await self._trees.add(agent))
        space = self._services.workspace.view()
        space.journal = self._services.workspace.journal
        space.claim = lambda path: self._leases.claim(path, agent, space.has_read(path))
        return space

    async def _check(self) -> str:
        """Returns the check that fails for the whole, "" if none does or nothing can be run."""
        if self._plan.check:
            if not self._services.approver.can("execute"):
                return ""
            output = await self._parent.tools.run_command(self._plan.check)
            return f"`{self._plan.check}` (exit code {output.exit_code})" if output.failed else ""
        findings = await self._services.proofs.look(list(self._parent.tools.work.changes.values()), may_ask=True)
        failing = [finding for finding in findings if finding.result.failures and finding.check.command]
        return f"`{failing[0].check.command}`" if failing else ""

    def _needed(self, subtask: Subtask) -> list[PartResult]:
        return [self._parts[name] for name in subtask.depends_on if name in self._parts]

    def _keep(self, subtask: Subtask, outcome: Outcome, seconds: float, changes: Mapping[str, Change] = _NONE) -> Outcome:
        """Records a part's outcome at once, so that it counts however the whole ends, and returns it."""
        self._parts[subtask.id] = PartResult(subtask, outcome, seconds, tuple(changes))
        self._parent.extra_usage += outcome.usage
        self._parent.context.history.session.keep_output(outcome.summary)
        for path in outcome.files:
            self._services.workspace.written[path] = None
            self._parent.tools.work.changed(changes.get(path) or Change(path))
        return outcome

    def report(self, outcomes: Sequence[Outcome] = ()) -> Outcome:
        """A result, of what is there by now; `outcomes`, in the plan's order, say what became of parts that were never begun."""
        others = dict(zip((subtask.id for subtask in self._plan.subtasks), outcomes, strict=False))
        waiting = Outcome("skipped", "its turn never came")
        parts = [
            self._parts.get(subtask.id) or PartResult(subtask, others.get(subtask.id, waiting)) for subtask in self._plan.subtasks
        ]
        return report(parts, time.monotonic() - self._started)
