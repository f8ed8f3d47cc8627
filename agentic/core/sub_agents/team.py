"""The agents of one plan: the one place that spawns, counts and ends them."""

import asyncio
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from agentic.config.schema import SubAgents
from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.sub_agents.briefing import MAX_SHOWN, briefing, open_key
from agentic.core.sub_agents.leases import Leases, is_folder
from agentic.core.sub_agents.report import Part, outcome_of, report
from agentic.core.sub_agents.worktrees import Worktrees
from agentic.errors import AgenticError, ToolError
from agentic.events import SubAgentFinished, SubAgentStarted, Warned
from agentic.hooks.batching import Lane
from agentic.sessions import ConversationHistory
from agentic.types import Change, Outcome, Plan, Subtask
from agentic.workspace import Workspace

_log = logging.getLogger("agentic.sub_agents")
_NONE: Mapping[str, Change] = MappingProxyType({})
REPORT_AT = 0.8  # of a sub-agent's time, from when on its next turn is the last


class Team:
    """Children of one agent. They have its system text and tools byte for byte, so their prompts begin in its cache."""

    def __init__(self, plan: Plan, task: str, parent: Agent, services: AgentServices, settings: SubAgents) -> None:
        self._plan = plan
        self._task = task
        self._parent = parent
        self._services = services
        self._turns: int = settings.subtask_max_iterations
        self._seconds: float = settings.timeout_seconds
        self._parts: dict[str, Part] = {}
        self._started = time.monotonic()
        self._histories = {subtask.id: self._history(subtask.id) for subtask in plan.subtasks}
        self._trees: Worktrees | None = None
        self._leases = Leases({self._histories[subtask.id].agent: subtask.writes for subtask in plan.subtasks})

    async def isolate(self) -> None:
        """Worktrees where the plan asks for them and git can make them; else leases keep writers apart."""
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
        if not calls.for_one_more:
            return self._keep(subtask, Outcome("limit", "no model call was left for it (workflow.max_iterations)"), 0.0)
        try:
            space = await self._space(history.agent)
        except ToolError as error:
            return self._keep(subtask, Outcome("failed", f"it got no worktree: {error}"), 0.0)
        agent = Agent(replace(self._services, workspace=space), history, self._turns, Lane.SUB_AGENT)
        await emit(SubAgentStarted(task=subtask.description, title=subtask.title, agent=history.agent))
        started = time.monotonic()
        calls.sub_agents += 1
        status, said, files = "interrupted", "", None
        missing: tuple[str, ...] = ()
        try:
            status, said, missing = await self._work(agent, subtask, space)
            if self._trees is not None:
                status, said, files = await self._merged(self._trees, history.agent, status, said)
        finally:
            calls.sub_agents -= 1
            self._leases.release(history.agent)
            self._services.approver.limits.pop(history.agent, None)
            said = said or agent.tools.work.summary() or agent.last_words[:MAX_SHOWN]
            files = tuple(space.written) if files is None else files
            self._keep(
                subtask,
                outcome_of(
                    subtask, status, said, files, agent.tools.work, agent.usage, self._questions(subtask, history.agent), missing
                ),
                time.monotonic() - started,
                agent.tools.work.changes,
            )
            await emit(SubAgentFinished(status=status, files=files, agent=history.agent))
        return self._parts[subtask.id].outcome

    def _questions(self, subtask: Subtask, agent: str) -> tuple[str, ...]:
        """What the sub-agent shared as missing or undecided, under the key that its briefing names."""
        entries = self._parent.context.history.blackboard.entries
        return tuple(entry.value for entry in entries if entry.by == agent and entry.key == open_key(subtask))

    async def _work(self, agent: Agent, subtask: Subtask, space: Workspace) -> tuple[str, str, tuple[str, ...]]:
        """(status, what it said, the files that it was to write and that are not there)"""
        name, limits = agent.context.history.agent, self._services.approver.limits
        try:
            async with asyncio.timeout(self._seconds) as limits[name]:
                agent.has_to_end = lambda: _left(limits[name]) < (1 - REPORT_AT) * self._seconds
                needed = self._needed(subtask)
                brief = agent.profile.brief
                agent.start(briefing(self._services.prompts, subtask, self._plan, self._task, self._turns, needed, brief))
                status, said = await agent.run()
                return await self._done(agent, subtask, space, said) if status == "done" else (status, said, ())
        except TimeoutError:
            return "timeout", f"its {self._seconds:g} s were up; the last it said: {agent.last_words[:MAX_SHOWN]}", ()
        except AgenticError as error:
            return "failed", str(error), ()
        except Exception as error:  # ours: it is one part's end, not everybody's
            _log.exception("sub-agent %s failed", name)
            return "failed", f"{type(error).__name__}: {error}", ()

    async def _done(self, agent: Agent, subtask: Subtask, space: Workspace, said: str) -> tuple[str, str, tuple[str, ...]]:
        """As `_work`; it is told once what is missing."""
        status, missing, work = "done", _missing(space, subtask.writes), agent.tools.work
        if missing and not work.write_failed:
            agent.tell(self._services.prompts("part.not_there", files=", ".join(missing)))
            status, said = await agent.run()
            missing = _missing(space, subtask.writes)
        if status == "done" and work.write_failed and not work.changes:
            return "gave_up", f"It could not write anything. {said}", tuple(missing)
        return status, said, tuple(missing)

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
        """What fails of the whole, "" for nothing or where nothing can be run."""
        if self._plan.check:
            if not self._services.approver.can("execute"):
                return ""
            output = await self._parent.tools.run_command(self._plan.check)
            return f"`{self._plan.check}` (exit code {output.exit_code})" if output.failed else ""
        findings = await self._services.proofs.look(list(self._parent.tools.work.changes.values()), may_ask=True)
        failing = [finding for finding in findings if finding.result.failures and finding.check.command]
        return f"`{failing[0].check.command}`" if failing else ""

    def _needed(self, subtask: Subtask) -> list[Part]:
        return [self._parts[name] for name in subtask.depends_on if name in self._parts]

    def _keep(self, subtask: Subtask, outcome: Outcome, seconds: float, changes: Mapping[str, Change] = _NONE) -> Outcome:
        """What is known of a part counts at once, however the whole ends."""
        self._parts[subtask.id] = Part(subtask, outcome, seconds, tuple(changes))
        self._parent.extra_usage += outcome.usage
        self._parent.context.history.session.keep_output(outcome.summary)
        for path in outcome.files:
            self._services.workspace.written[path] = None
            self._parent.tools.work.changed(changes.get(path) or Change(path))
        return outcome

    def report(self, outcomes: Sequence[Outcome] = ()) -> Outcome:
        """One result, of what is there by now; `outcomes`, in the plan's order, say what became of parts that were never begun."""
        others = dict(zip((subtask.id for subtask in self._plan.subtasks), outcomes, strict=False))
        waiting = Outcome("skipped", "its turn never came")
        parts = [self._parts.get(subtask.id) or Part(subtask, others.get(subtask.id, waiting)) for subtask in self._plan.subtasks]
        return report(parts, time.monotonic() - self._started)


def _left(limit: asyncio.Timeout) -> float:
    end = limit.when()
    return math.inf if end is None else end - asyncio.get_running_loop().time()


def _missing(space: Workspace, files: Sequence[str]) -> list[str]:
    return [path for path in files if not is_folder(path) and not os.path.lexists(space.root / path)]
