"""The attempts at one task: begun together, judged as they end, one of them taken."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from agentic import AgenticError, Attempt, FanOutSetup, Message, Outcome, Parts, Plan, Sampling, Subtask, ToolError
from agentic.events import Warned, WorkflowEvent
from agentic.hooks.checks import JudgeVerdict
from agentic.lib.contents import contents_of, put_back
from agentic.lib.git import git, top_of
from plugins_builtin.attempts.choosing import Contender, chosen
from plugins_builtin.attempts.states import State

TEMPERATURES = (None, 0.4, 0.7, 0.9, 1.0)
"""Each attempt's, None for the model's usual one; those after the last have the last one's."""
MANY = 200  # changed files, from which on not all of them may be known by name
HINT_FROM = 2  # attempts without one
wanted: dict[str, int] = {}
"""The attempts that the user wants for the next task, by session."""


class Attempts:
    """Takes whole tasks (`agentic.hooks.fan_out.TakesTasks`)."""

    def __init__(self, setup: FanOutSetup) -> None:
        self._setup = setup
        self._lead = setup.lead
        self._options = setup.options
        self._count = 0
        self._has_failed = ""
        self._tries: list[State] = []  # of the lead's own

    async def take(self, task: str, verdict: JudgeVerdict | None) -> Plan | None:
        """A plan of one part, which `run` has done several times."""
        if verdict is None:
            self._has_failed, self._tries = "", []
            count = wanted.get(self._lead.history.session.id) or self._options.count
        elif verdict.status == "gave_up" and self._has_failed != task:  # once for a task
            count, self._has_failed = self._options.auto, task
        else:
            count = 0
        if verdict is not None and count < 2 and self._lead.restarts:
            await self._again(verdict)
        if count < 2 or (why := await self._not_here()):
            if count >= 2:
                await self._lead.emit(Warned(message=f"one attempt only: {why}"))
            return None
        if verdict is not None:  # they begin where this one did, and what it came to stays among what is chosen from
            self._keep(verdict)
            put_back(self._lead.workspace, {})
        self._count = count
        return Plan((Subtask("attempt", f"{count} attempts", task),))

    async def _again(self, verdict: JudgeVerdict) -> None:
        """Has the lead begin anew, in its own folder: told what is wrong with its best try, or as if there had been none.

        Neither helps every time, so they take turns.
        """
        space = self._lead.workspace
        self._keep(verdict)
        best = min(self._tries, key=lambda each: each.rank)
        if len(self._tries) % 2:
            put_back(space, best.files)
            await self._lead.restart(best.verdict.word, best.verdict.files)
        else:
            put_back(space, {})
            await self._lead.restart()

    def _keep(self, verdict: JudgeVerdict) -> None:
        space = self._lead.workspace
        self._tries.append(State(verdict, contents_of(space, space.originals)))

    def settle(self, verdict: JudgeVerdict) -> JudgeVerdict:
        """Brings back the best of the lead's tries, the earlier of equals, where it was not the last one."""
        best = min(self._tries, key=lambda each: each.rank, default=None)
        if best is None or best.rank > State(verdict, {}).rank:
            return verdict
        put_back(self._lead.workspace, best.files)
        return best.verdict

    async def _not_here(self) -> str:
        """Why attempts cannot be made here, "" where they can."""
        lead = self._lead
        if lead.asks or not lead.may_run:
            return f"each of them would ask, in the mode {lead.mode or 'ask'} (--approve all)"
        try:
            await git(await top_of(lead.workspace.root), "rev-parse", "--verify", "HEAD")
            listed = await git(lead.workspace.root, "ls-files", "--cached", "--others", "--exclude-standard")
        except ToolError as error:
            return f"this folder is in no git repository with a commit ({error})"
        here = [name for name in os.listdir(lead.workspace.root) if name != ".git"]
        return "git ignores this folder" if here and not listed else ""

    async def run(self, plan: Plan, spawn: Parts) -> list[Outcome]:
        """Returns the outcome of the attempt that was taken."""
        try:
            return [await self._best_of(plan.subtasks[0], spawn)]
        except ToolError as error:  # no trees: the agent is told to do it itself
            return [Outcome("failed", f"no attempts could be made: {error}")]

    async def _best_of(self, subtask: Subtask, spawn: Parts) -> Outcome:
        async with AsyncExitStack() as stack:
            attempts = [
                await stack.enter_async_context(spawn.attempt(_titled(subtask, number), _sampling(number), self._opened(number)))
                for number in range(self._count)
            ]
            contenders = [Contender(number, attempt) for number, attempt in enumerate(attempts, 1)]
            if (proved := await self._first_proved(contenders)) is None:
                choice = await chosen(contenders, self._lead, self._setup.prompt, subtask.objective)
            else:
                choice = proved, f"attempt {proved.number} of {len(contenders)} is the first that is proved"
            contender, why = choice
            await self._lead.emit(WorkflowEvent(node="spawn_sub_agents", message=why))
            return await self._taken(contender, why)

    def _opened(self, number: int) -> Message:
        """The message that an attempt begins with: the same, but for a hint at its end."""
        opened = self._lead.opening
        return opened.and_then(Message("user", self._setup.prompt("attempts.another_way"))) if number >= HINT_FROM else opened

    async def _taken(self, contender: Contender, why: str) -> Outcome:
        put_back(contender.attempt.agent.workspace, contender.best.files)
        files = contender.best.files
        outcome = await contender.attempt.merge(checked=True, only=files if len(files) < MANY else None)
        return replace(outcome, summary=f"{why}\n{outcome.summary}".strip())

    async def _first_proved(self, contenders: Sequence[Contender]) -> Contender | None:
        """The first that its checks prove: the others are stopped then. None where none is, after all rounds."""
        tasks = {asyncio.ensure_future(self._tried(each)): each for each in contenders}
        try:
            waiting = set(tasks)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if task.result():
                        return tasks[task]
            return None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tried(self, contender: Contender) -> bool:
        """Does an attempt, and goes on with what fails in it; True once it is proved. What it was before is not forgotten."""
        attempt, verdict = contender.attempt, JudgeVerdict("done")
        for number in range(1 + self._options.rounds):
            contender.outcome = await (attempt.go_on(verdict.word, verdict.files) if number else attempt.run())
            verdict = await _judged(attempt)
            contender.states.append(State(verdict, contents_of(attempt.agent.workspace, attempt.agent.changes)))
            if verdict.status == "done" or not verdict.word:
                return verdict.status == "done"
        return False


async def _judged(attempt: Attempt) -> JudgeVerdict:
    """Returns the verdict; an attempt that cannot be judged is as bad as can be."""
    try:
        verdict = await attempt.agent.judged()
    except AgenticError:
        return JudgeVerdict("gave_up", failures=sys.maxsize)
    if verdict.status == "done" and not attempt.agent.changes:  # where nothing was done, nothing is proved
        return replace(verdict, status="unchecked", matters=False)
    return verdict


def _titled(subtask: Subtask, number: int) -> Subtask:
    return replace(subtask, title=f"attempt {number + 1}")


def _sampling(number: int) -> Sampling:
    return Sampling(TEMPERATURES[min(number, len(TEMPERATURES) - 1)], seed=number or None)
