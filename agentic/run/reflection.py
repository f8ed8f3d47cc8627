"""Is the task done? Judged on evidence: what was written, what was run, and how that ended."""

from agentic.events import WorkflowEvent
from agentic.run.agent import Agent, Means, run_call
from agentic.run.checks import check_command

MAX_ROUNDS = 3


class Reflection:
    """`judge` after every time the model says it is done; `status` and `note` once it says that nothing is left to do."""

    def __init__(self, agent: Agent, means: Means) -> None:
        self._agent = agent
        self._means = means
        self._rounds = 0
        self._asked_to_run = False
        self.status = "done"
        self.note = ""

    async def judge(self) -> bool:
        """Whether the agent has to go on; what it has to do is in its history then."""
        evidence = self._agent.evidence
        if evidence.unchecked_code and self._can_run():
            if command := check_command(self._means.workspace.root):
                output = await self._agent.call(run_call(command))
                if evidence.failed_check():
                    return await self._go_on(f"$ {command}\n{output.text}\nThe tests fail. Fix the program so that they pass.")
            elif not self._asked_to_run:
                self._asked_to_run = True
                files = ", ".join(evidence.written)
                return await self._go_on(f"You wrote {files}, and nothing was run yet. Run it once to see that it works.")
        failed = evidence.failed_check()
        if failed:
            command, output = failed
            return await self._go_on(f"`{command}` failed. Fix the cause, then run it again.")
        self._conclude()
        return False

    def _can_run(self) -> bool:
        return "run" in self._means.tools and self._means.approver.can("execute")

    async def _go_on(self, word: str) -> bool:
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            self.status = "gave_up"
            self._conclude()
            return False
        await self._means.events.emit(WorkflowEvent(node="reflect", message=word.splitlines()[-1]))
        self._agent.tell(word)
        return True

    def _conclude(self) -> None:
        failed = self._agent.evidence.failed_check()
        if failed:
            self.status = "gave_up"
            self.note = f"Not done: `{failed[0]}` still fails (exit code {failed[1].exit_code})."
        elif self._agent.evidence.unchecked_code:
            self.note = "Not checked: nothing was run after the last change."
