"""The agents of one plan: the one place that spawns, counts and ends them."""

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from agentic import AgenticError, Change, Message, Outcome, Plan, Settings, SubAgent, Subtask, ToolError, Workspace
from agentic.events import SubAgentFinished, SubAgentStarted, Warned
from agentic.hooks.fan_out import Lead
from agentic.hooks.runner import Runner
from agentic.lib.listing import first_few
from agentic.lib.questions import Ask
from agentic.sessions import ConversationHistory
from agentic.types import Sampling
from plugins_builtin.sub_agents.attempts import TreeAttempt
from plugins_builtin.sub_agents.briefing import MAX_SHOWN, briefing, open_key
from plugins_builtin.sub_agents.elsewhere import Elsewhere
from plugins_builtin.sub_agents.leases import Leases
from plugins_builtin.sub_agents.member import Done, work
from plugins_builtin.sub_agents.report import PartResult, outcome_of, report
from plugins_builtin.sub_agents.worktrees import Worktrees

How = tuple[bool, Collection[str] | None]
"""(whether a merge needs no check any more, the files that are taken, None for all)"""
MAX_NAMED = 8
LEAST_CALLS = 2  # to do something, and to report
_NONE: Mapping[str, Change] = MappingProxyType({})


def task_to_json(subtask: Subtask) -> dict[str, Any]:
    """A part as the event of its plan has it."""
    return asdict(subtask) | {"description": subtask.description}


class Team:
    """The sub-agents of one lead. They have its system text and tools byte for byte, so their prompts begin in its cache."""

    def __init__(
        self, plan: Plan, task: str, lead: Lead, settings: Settings, prompt: Callable[..., str], runner: Runner | None = None
    ) -> None:
        self._plan = plan
        self._task = task
        self._lead = lead
        self._settings = settings
        self._prompt = prompt
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
                self._elsewhere = await Elsewhere.open(self._runner, self._settings, self._lead, self._check)
            except ToolError as error:
                await self._warn(f"no copies of this folder ({error}); the sub-agents work in this process instead")
            else:
                return
        if self._plan.isolation != "worktree":
            return
        try:
            if why := await self._lead.may_write("make git worktrees for the sub-agents"):
                raise ToolError(why)
            self._trees = await Worktrees.open(self._lead.workspace, self._check)
        except ToolError as error:
            await self._warn(f"no worktrees here ({error}); a file is one sub-agent's at a time instead")

    async def _warn(self, message: str) -> None:
        await self._lead.emit(Warned(message=message))

    async def close(self) -> None:
        """When all have ended."""
        if self._trees is not None:
            await self._trees.close()
        if self._elsewhere is not None:
            await self._elsewhere.close()

    def _history(self, name: str) -> ConversationHistory:
        """An empty one: an earlier plan of the session may have had a sub-agent of that name."""
        mine, number = self._lead.history, 1
        while True:
            agent = f"sub-{name}" if number == 1 else f"sub-{name}-{number}"
            history = ConversationHistory(mine.session, mine.blackboard, agent)
            if not len(history):
                return history
            number += 1

    async def __call__(self, subtask: Subtask) -> Outcome:
        """Does one part within its turns and its time; what was done by then is its outcome. Raises nothing but CancelledError."""
        history = self._histories[subtask.id]
        if refused := self._no_call_left():
            return self._keep(subtask, refused, 0.0)
        try:
            space = await self._space(history.agent)
        except ToolError as error:
            return self._keep(subtask, Outcome("failed", f"it got no worktree: {error}"), 0.0)
        agent = self._lead.open(history, space, self._turns, subtask.agent)
        does = self._here if self._elsewhere is None else self._there
        return await self._followed(agent, subtask, does)

    def _no_call_left(self) -> Outcome | None:
        calls = self._lead.calls
        if calls.for_one_more if self._elsewhere is None else calls.left > LEAST_CALLS:
            return None
        return Outcome("limit", "no model call was left for it (workflow.max_iterations)")

    async def _followed(self, agent: SubAgent, subtask: Subtask, does: Callable[..., Any], keep: bool = True) -> Outcome:
        """Has the part done between its two events; what came of it counts unless it is not to be kept yet."""
        calls, started = self._lead.calls, time.monotonic()
        await self._lead.emit(SubAgentStarted(task=subtask.description, title=subtask.title, agent=agent.name))
        calls.sub_agents += 1
        outcome: Outcome | None = None
        try:
            outcome = await does(agent, subtask)
        finally:
            calls.sub_agents -= 1
            self._leases.release(agent.name)
            outcome = outcome or self._outcome(agent, subtask, ("interrupted", "", ()))
            if keep:
                self._keep(subtask, outcome, time.monotonic() - started, agent.changes)
            await self._lead.emit(SubAgentFinished(status=outcome.status, files=outcome.files, agent=agent.name))
        return outcome

    async def _here(self, agent: SubAgent, subtask: Subtask) -> Outcome:
        done = await work(agent, subtask, self._seconds, self._prompt, lambda: self._begin(agent, subtask))
        if self._trees is None:
            return self._outcome(agent, subtask, done)
        return await self.merged(self._trees, agent, subtask, done)

    async def merged(self, trees: Worktrees, agent: SubAgent, subtask: Subtask, done: Done, how: How = (False, None)) -> Outcome:
        """The outcome with what the part changed in the folder, or why that is not there."""
        status, said, missing = done
        try:
            links = await trees.left_out(agent.name)
            files = await trees.merge(agent.name, *how)
        except AgenticError as error:
            return self._outcome(agent, subtask, ("failed", f"{said}\nNone of its changes were taken: {error}", missing), ())
        said += f"\nThese links are only in its copy, make them yourself: {first_few(links, MAX_NAMED)}" if links else ""
        return self._outcome(agent, subtask, (status, said, missing), files)

    async def _there(self, agent: SubAgent, subtask: Subtask) -> Outcome:
        assert self._elsewhere is not None
        self._begin(agent, subtask)
        outputs = [part.outcome.summary for part in self._needed(subtask)]
        outcome = await self._elsewhere.run(agent, subtask, self._seconds, self._turns_of_one(), outputs)
        agent.used(outcome.usage)
        return replace(outcome, open_questions=self._questions(subtask, agent.name))

    @asynccontextmanager
    async def attempt(
        self,
        subtask: Subtask,
        sampling: Sampling | None = None,
        opened: Message | None = None,
        before: Sequence[Message] | None = None,
        ask: Ask | None = None,
    ) -> AsyncIterator[TreeAttempt]:
        """Opens a part in a tree of its own; what is not merged by the end is gone. Raises ToolError where trees cannot be."""
        if ask is None and (why := await self._lead.may_write("make git worktrees for the sub-agents")):
            raise ToolError(why)
        self._trees = trees = self._trees or await Worktrees.open(self._lead.workspace, self._check, stay=False)
        history = self._history(subtask.id) if len(self._histories[subtask.id]) else self._histories[subtask.id]
        space = self._lead.workspace.view(await trees.add(history.agent))
        before = self._lead.before if before is None else before
        for message in before if opened is not None else ():
            history.add(message)
        turns = self._turns if opened is None else self._lead.calls.left
        agent = self._lead.open(history, space, turns, subtask.agent, sampling, ask)
        attempt = TreeAttempt(self, trees, agent, subtask, opened)
        try:
            yield attempt
        finally:
            if not attempt.is_merged:
                await trees.discard(agent.name)
                self._lead.took(Outcome("not_needed", "", usage=agent.usage), _NONE)

    async def tried(self, agent: SubAgent, subtask: Subtask, begin: Callable[[], None] | None = None) -> Done:
        """Does a part of which nothing is merged yet; (status, what it said, what it did not write)."""
        begun, begin = begin is not None, begin or (lambda: self._begin(agent, subtask))
        seconds = self._settings.workflow.timeout_seconds if begun else self._seconds
        ended: list[Done] = []

        async def does(agent: SubAgent, subtask: Subtask) -> Outcome:
            ended.append(await work(agent, subtask, seconds, self._prompt, begin))
            return self._outcome(agent, subtask, ended[0], ())

        if refused := self._no_call_left():
            return refused.status, refused.summary, ()
        await self._followed(agent, subtask, does, keep=False)
        return ended[0]

    def finish_task(self, agent: SubAgent, subtask: Subtask, outcome: Outcome, seconds: float) -> Outcome:
        """Counts a part that was merged."""
        return self._keep(subtask, outcome, seconds, agent.changes)

    def _turns_of_one(self) -> int:
        """An equal share of the calls that are left, which those that run have had already."""
        calls = self._lead.calls
        waiting = len(self._plan.subtasks) - len(self._parts) - calls.sub_agents + 1
        return max(1, min(self._turns, calls.left // max(1, waiting)))

    def _begin(self, agent: SubAgent, subtask: Subtask) -> None:
        needed, kind = self._needed(subtask), agent.kind
        told = briefing(self._prompt, subtask, self._plan, self._task, self._turns, needed, agent.is_brief)
        agent.start(f"{kind.text}\n\n{told}" if kind is not None else told)

    def _outcome(self, agent: SubAgent, subtask: Subtask, done: Done, files: tuple[str, ...] | None = None) -> Outcome:
        """`files` are those that changed in the folder, None for all that it wrote."""
        status, said, missing = done
        said = said or agent.did or agent.last_words[:MAX_SHOWN]
        files = tuple(agent.workspace.written) if files is None else files
        questions = self._questions(subtask, agent.name)
        return outcome_of(subtask, status, said, files, agent.ran, agent.usage, questions, missing)

    def _questions(self, subtask: Subtask, agent: str) -> tuple[str, ...]:
        """Returns the values that the sub-agent shared as missing or undecided, under the key that its briefing names."""
        entries = self._lead.history.blackboard.entries
        return tuple(entry.value for entry in entries if entry.by == agent and entry.key == open_key(subtask))

    async def _space(self, agent: str) -> Workspace:
        """The folder as the sub-agent has it. Raises ToolError where it cannot get a worktree."""
        if self._trees is not None:
            return self._lead.workspace.view(await self._trees.add(agent))
        space = self._lead.workspace.view()
        space.journal = self._lead.workspace.journal
        space.claim = lambda path: self._leases.claim(path, agent, space.has_read(path))
        return space

    async def _check(self) -> str:
        """Returns the check that fails for the whole, "" if none does or nothing can be run."""
        if not self._plan.check:
            failing = await self._lead.failing_check()
            return f"`{failing}`" if failing else ""
        if not self._lead.may_run:
            return ""
        output = await self._lead.run_command(self._plan.check)
        return f"`{self._plan.check}` (exit code {output.exit_code})" if output.failed else ""

    def _needed(self, subtask: Subtask) -> list[PartResult]:
        return [self._parts[name] for name in subtask.depends_on if name in self._parts]

    def _keep(self, subtask: Subtask, outcome: Outcome, seconds: float, changes: Mapping[str, Change] = _NONE) -> Outcome:
        """Records a part's outcome at once, so that it counts however the whole ends, and returns it."""
        self._parts[subtask.id] = PartResult(subtask, outcome, seconds, tuple(changes))
        self._lead.history.session.keep_output(outcome.summary)
        self._lead.took(outcome, changes)
        return outcome

    def report(self, outcomes: Sequence[Outcome] = ()) -> Outcome:
        """A result, of what is there by now. `outcomes`, in the plan's order, are what the fan-out says of each part: it counts."""
        said = dict(zip((subtask.id for subtask in self._plan.subtasks), outcomes, strict=False))
        waiting = Outcome("skipped", "its turn never came")
        parts = []
        for subtask in self._plan.subtasks:
            part = self._parts.get(subtask.id) or PartResult(subtask, said.get(subtask.id, waiting))
            parts.append(replace(part, outcome=said.get(subtask.id, part.outcome)))
        return report(parts, time.monotonic() - self._started)
