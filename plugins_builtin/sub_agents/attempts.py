"""A part at work in a tree of its own, for fan-outs that look at what came of it before anything is merged."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from agentic import Message, Outcome, SubAgent, Subtask, ToolOutput
from plugins_builtin.sub_agents.member import Done
from plugins_builtin.sub_agents.worktrees import Worktrees

if TYPE_CHECKING:
    from plugins_builtin.sub_agents.team import Team


class TreeAttempt:
    """An attempt at a part (`agentic.hooks.fan_out.Attempt`)."""

    def __init__(self, team: "Team", trees: Worktrees, agent: SubAgent, subtask: Subtask, opened: Message | None = None) -> None:
        self.agent = agent
        self.is_merged = False
        self._team = team
        self._trees = trees
        self._subtask = subtask
        self._opened = opened
        self._seconds = 0.0
        self._done: Done = ("skipped", "it was not begun", ())

    async def run(self) -> Outcome:
        """Does the part. Raises nothing but CancelledError."""
        opened = self._opened
        return await self._tried(None if opened is None else lambda: self.agent.start(self._subtask.objective, opened))

    async def go_on(self, word: str, files: Sequence[str] = ()) -> Outcome:
        """The same after a word to the model, when it has come to an end."""
        return await self._tried(lambda: self.agent.tell(word, files))

    async def _tried(self, begin: Callable[[], None] | None) -> Outcome:
        started = time.monotonic()
        self._done = await self._team.tried(self.agent, self._subtask, begin)
        self._seconds += time.monotonic() - started
        status, said, missing = self._done
        left = {self._subtask.title: missing} if missing else {}
        return Outcome(status, said, usage=self.agent.usage, unwritten=left)

    async def check(self, command: str) -> ToolOutput | None:
        """Runs a command in its tree."""
        return await self.agent.run_unasked(command)

    async def merge(self, checked: bool = False, only: Collection[str] | None = None) -> Outcome:
        """Takes what it changed, or `only` these files, into the folder; the outcome says why where that cannot be."""
        self.is_merged = True
        outcome = await self._team.merged(self._trees, self.agent, self._subtask, self._done, (checked, only))
        return self._team.finish_task(self.agent, self._subtask, outcome, self._seconds)
