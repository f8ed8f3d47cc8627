"""Is the task done? Judged on evidence: what was written, what was run, and how that ended."""

import re

from agentic.core.agent import Agent, AgentServices
from agentic.core.outcome.checks import check_command
from agentic.core.outcome.examples import check_commands, programs_that_do_nothing
from agentic.core.outcome.failures import count_failures, essence
from agentic.core.outcome.suspects import missing_import, missing_library
from agentic.core.outcome.trials import trial_command
from agentic.core.prompt import source_files
from agentic.events import WorkflowEvent
from agentic.types import ToolOutput

MAX_ROUNDS = 4
_CANNOT_RUN = (124, 126, 127)  # it never ended, it is no program, there is no such program
MAX_TRIALS = 2  # a usage line tried with made-up values is a hint, not a proof
_TEST_RUN = re.compile(r"^Ran \d+ tests? in|^=+ .*(failed|error)|^FAILED ", re.MULTILINE)
_ABOUT_TESTS = re.compile(
    r"\b(tests?|unittest|pytest|fail\w*|fix|bugs?|mistakes?|broken|errors?)\b|테스트|오류|버그|고쳐", re.IGNORECASE
)


class Reflection:
    """`judge` after every time the model says it is done; `status` and `note` once it says that nothing is left to do.

    `plan_check` is a command that shows whether the parts of a plan fit together.
    """

    def __init__(self, agent: Agent, services: AgentServices, task: str) -> None:
        self._agent = agent
        self._services = services
        self._task = task
        self._rounds = 0
        self._trials = 0
        self._best: tuple[int, str, dict[str, bytes]] | None = None  # failures, what they are, the files
        self.plan_check = ""
        self.status = "done"
        self.note = ""

    async def run_checks_first(self) -> None:
        """For a task that speaks of tests or mistakes: how the tests fail before anything is changed, for the model to read."""
        command = check_command(self._services.workspace.root)
        if command and _ABOUT_TESTS.search(self._task) and self._agent.tools.can_run():
            self._agent.tools.evidence.authoritative.add(command)
            output = await self._agent.tools.run_command(command)
            if output.failed:
                await self._tell(self._told(command, output.text))

    async def judge(self) -> bool:
        """Whether the agent has to go on; what it has to do is in its history then."""
        word = await self._what_is_wrong()
        if not word or self._rounds == MAX_ROUNDS or not self._services.calls.left:
            self._conclude()
            return False
        self._rounds += 1
        self._agent.raise_temperature()
        await self._services.events.emit(WorkflowEvent(node="reflect", message=word.splitlines()[-1]))
        await self._tell(await self._keep_the_better(word))
        return True

    def what_still_fails(self) -> str:
        """A remark to the task, "" where nothing does."""
        failed = self._agent.tools.evidence.failed_check()
        return f"\n\n(one agent has tried; `{failed[0]}` still fails)" if failed else ""

    async def _keep_the_better(self, word: str) -> str:
        """Small models make it worse as often as better: back to the version with the fewest failures, and what was wrong there."""
        if self._services.protocol != "fenced":
            return word
        space, evidence = self._services.workspace, self._agent.tools.evidence
        failures = sum(count_failures(output.text) for _, output in evidence.checks if output.failed)
        if self._best is None or failures < self._best[0]:
            self._best = (failures, word, {path: space.read(path).data for path in evidence.written})
            return word
        _, better, files = self._best
        for path, data in files.items():
            space.write(path, data)
        return better

    async def _tell(self, word: str) -> None:
        if self._services.protocol == "fenced":
            await self._agent.repair(word)
        else:
            self._agent.tell(word)

    async def _what_is_wrong(self) -> str:
        """What the agent has to be told, "" for nothing. Runs what shows it: the tests, the task's own examples, the program."""
        evidence = self._agent.tools.evidence
        if evidence.not_done and not self._rounds:
            return f"Not done by the sub-agents: {', '.join(evidence.not_done)}. Do it yourself, or delegate it again."
        if idle := programs_that_do_nothing(self._task, self._services.workspace.root, evidence.written):
            return f"Running {idle} does nothing: it only defines functions. Call them when the program is run."
        if evidence.unchecked_code and self._agent.tools.can_run():
            commands = self._checks()
            if not commands:
                return f"You wrote {', '.join(evidence.written)}, and nothing was run yet. Run it once to see that it works."
            for command in commands:
                output = await self._agent.tools.run_command(command)
                if command == self.plan_check and _shows_nothing(output):  # a model made it up
                    self.plan_check = ""
                    evidence.forget(command)
        if failed := evidence.failed_check():
            return "" if self._lacking(failed[1].text) else self._told(failed[0], failed[1].text)
        return ""

    def _lacking(self, text: str) -> str:
        """A library that has to be installed first, where the model cannot do that itself; "" otherwise."""
        fenced = self._services.protocol == "fenced"
        return missing_library(text, source_files(self._services.workspace)) if fenced else ""

    def _told(self, command: str, text: str) -> str:
        """A failed check in words: what an example's check says is plain; small models get the essence of anything else."""
        said = re.search(r"^AssertionError: (.+ must give .+)|^(.+ must print .+)", text, re.MULTILINE | re.DOTALL)
        if said and not _TEST_RUN.search(text):
            return (said[1] or said[2]).rsplit("(exit code", 1)[0].strip()
        if self._services.protocol != "fenced":
            return f"$ {command}\n{text}\nThe program is not right yet."
        what = "These tests fail" if _TEST_RUN.search(text) else "Running it gives"
        told = essence(text, self._services.workspace.root)
        return "\n".join(filter(None, [f"{what}:\n{told}", missing_import(told, source_files(self._services.workspace))]))

    def _checks(self) -> list[str]:
        """The tests of the folder and the examples of the task; for a model that is asked in fenced text, the program itself."""
        root, written = self._services.workspace.root, self._agent.tools.evidence.written
        tests = check_command(root)
        planned = [self.plan_check] if self.plan_check else []
        commands = [*dict.fromkeys([*planned, *([tests] if tests else [])]), *check_commands(self._task, root, written)]
        self._agent.tools.evidence.authoritative.update(commands)
        if (trial := trial_command(self._task, root)) and self._trials < MAX_TRIALS:
            self._trials += 1
            commands.append(trial)
        if not commands and self._services.protocol == "fenced":
            scripts = [path for path in written if path.endswith(".py")]
            commands = [f"python3 {path}" for path in scripts[-1:]]
        return commands

    def _conclude(self) -> None:
        evidence = self._agent.tools.evidence
        failed = evidence.failed_check()
        if evidence.not_done:
            self.status = "gave_up"
            self.note = f"Not done: {', '.join(evidence.not_done)}."
        elif failed:
            self.status = "gave_up"
            library = self._lacking(failed[1].text)
            why = f": {library} is not installed here" if library else ""
            self.note = f"Not done: `{failed[0]}` still fails (exit code {failed[1].exit_code}){why}."
        elif evidence.unchecked_code:
            self.note = "Not checked: nothing was run after the last change."


def _shows_nothing(output: ToolOutput) -> bool:
    """Whether a check could not be run at all, or found no test."""
    return output.exit_code in _CANNOT_RUN or "no tests ran" in output.text
