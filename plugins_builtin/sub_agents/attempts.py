"""A part at work in a tree of its own, for fan-outs that look at what came of it before anything is merged."""

from typing import TYPE_CHECKING

from agentic import Outcome, SubAgent, Subtask, ToolOutput
from plugins_builtin.sub_agents.member import Done
from plugins_builtin.sub_agents.worktrees import Worktrees

if TYPE_CHECKING:
    from plugins_builtin.sub_agents.team import Team


class TreeAttempt:
    """An attempt at a part (`agentic.hooks.fan_out.Attempt`)."""

    def __init__(self, team: "Team", trees: Worktrees, agent: SubAgent, subtask: Subtask) -> None:
        self.agent = agent
        self.is_merged = False
        self._team = team
        self._trees = trees
        self._subtask = subtask
        self._done: Done = ("skipped", "it was not begun", ())

    async def run(self) -> Outcome:
        """Does the part. Raises nothing but CancelledError."""
        self._done = await self._team.tried(self.agent, self._subtask)
        status, said, missing = self._done
        left = {self._subtask.title: missing} if missing else {}
        return Outcome(status, said, usage=self.agent.usage, unwritten=left)

    async def check(self, command: str) -> ToolOutput:
        """Runs a command in its tree."""
        return await self.agent.run_command(command)

    async def merge(self) -> Outcome:
        """Takes what it changed into the folder; the outcome says why where that cannot be."""
        self.is_merged = True
        outcome = await self._team.merged(self._trees, self.agent, self._subtask, self._done)
        return self._team.finish_task(self.agent, self._subtask, outcome)
