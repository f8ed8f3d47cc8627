"""The checkers' findings in the folder: once before the first change of a task, and after its changes."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial

from agentic.core.approval import Approver
from agentic.errors import AgenticError, PluginError
from agentic.hooks.checks import HIDES, Check, Checker, CheckResult, ComparesFiles, Failure
from agentic.lib.record import record
from agentic.lib.threads import on_daemon_thread
from agentic.lib.workspace import Workspace
from agentic.plugins.dispatcher import Dispatcher
from agentic.types import Change, ToolOutput

RunCommand = Callable[[str, str], Awaitable[ToolOutput]]
"""(the whole line, the check's own command in it): what it gave."""
NOT_PERMITTED = "it needs an approval"
MAX_SHOWN = 1_500  # characters of an output that the model has not asked for
_CANNOT_RUN = (None, 124, 126, 127)  # refused, it never ended, it is no program, there is no such program


@record(frozen=True, slots=True)
class Finding:
    """A check with what it shows. `counts` are the failures that the task answers for, `old` those that were there before."""

    check: Check
    result: CheckResult
    counts: tuple[Failure, ...] = ()
    old: tuple[Failure, ...] = ()

    @property
    def fails(self) -> bool:
        """True if it decides that the task is not done."""
        return self.check.authority == "proof" and any(not failure.own for failure in self.counts)

    @property
    def shows(self) -> bool:
        """True if something was run that could have gone wrong: a file that can be read shows nothing of what it does."""
        runs = bool(self.check.command) and not self.check.form and not any(failure.own for failure in self.counts)
        return runs and (self.result.state == "passes" or self.result.some_pass)

    @property
    def hints(self) -> tuple[Failure, ...]:
        """Returns the failures that only the model is told."""
        return tuple(failure for failure in self.counts if failure.own or self.check.authority == "hint")


class Proofs:
    """The checks of one session. `run_command` runs what checkers ask for, as tools do; nothing else is ever run here."""

    def __init__(
        self, checkers: Mapping[str, Checker], workspace: Workspace, approver: Approver, events: Dispatcher, run_command: RunCommand
    ) -> None:
        self._checkers = checkers
        self._workspace = workspace
        self._approver = approver
        self._events = events
        self._turn = asyncio.Lock()
        self._task = ""
        self._before: dict[str, CheckResult] | None = None
        self._found: list[tuple[Check, CheckResult]] = []
        self._run_command = run_command

    def of(self, workspace: Workspace, run_command: RunCommand, approver: Approver) -> "Proofs":
        """The same in a copy of the folder: what was there before a change is known."""
        other = copy(self)
        other._workspace, other._run_command, other._turn, other._approver = workspace, run_command, asyncio.Lock(), approver
        return other

    def begin(self, task: str) -> None:
        """A new task: what is there now is what was there before it."""
        self._task = task
        self._before = None
        self._found = []

    async def before_change(self) -> None:
        """Looks at what is there, the first time it is called in a task; commands only where they need no question."""
        async with self._turn:
            if self._before is None:
                self._before = {}
                self._found = await self._results((), False, {})
                self._before = {check.name: result for check, result in self._found if result.why != NOT_PERMITTED}

    async def look(
        self, changes: Sequence[Change], may_ask: bool, plan_check: str = "", ran: Mapping[str, ToolOutput] | None = None
    ) -> list[Finding]:
        """Returns what the checks show now. Commands are run where they need no question, or where one may be asked.

        `plan_check` is a command of a model's own making: what it shows is a hint. `ran` is what the model ran since its
        last change: what passed there is not asked about once more.
        """
        async with self._turn:
            findings = [self._finding(*each) for each in await self._results(changes, may_ask, ran or {})]
            if plan_check and self._is_permitted(plan_check, may_ask):
                output = await self._run_command(plan_check, plan_check)
                if output.failed and output.exit_code not in _CANNOT_RUN:
                    check = Check("plan", f"The plan's check ({plan_check}) fails", plan_check, "hint")
                    failure = Failure("plan", output.text[-MAX_SHOWN:])
                    findings.append(Finding(check, CheckResult("fails", (failure,)), (failure,)))
            return findings

    def before(self) -> list[Finding]:
        """Returns the findings from before the first change, with their failures."""
        return [Finding(check, result, result.failures) for check, result in self._found if check.covers]

    def same(self, path: str, before: bytes, after: bytes) -> bool:
        """True if a checker knows that both contents of the file mean the same."""
        return any(checker.same(path, before, after) for checker in self._checkers.values() if isinstance(checker, ComparesFiles))

    def _is_permitted(self, command: str, may_ask: bool) -> bool:
        return self._approver.is_free(command) or (may_ask and self._approver.can("execute"))

    async def _results(
        self, changes: Sequence[Change], may_ask: bool, ran: Mapping[str, ToolOutput]
    ) -> list[tuple[Check, CheckResult]]:
        return [
            (check, await self._result(checker, check, changes, may_ask, ran))
            for checker in self._checkers.values()
            for check in await on_daemon_thread(partial(self._checks_of, checker, changes))
        ]

    def _checks_of(self, checker: Checker, changes: Sequence[Change]) -> list[Check]:
        try:
            return checker.checks(self._task, self._workspace, tuple(changes))
        except AgenticError as error:
            self._complain(error)
            return []

    async def _result(
        self, checker: Checker, check: Check, changes: Sequence[Change], may_ask: bool, ran: Mapping[str, ToolOutput]
    ) -> CheckResult:
        before = (self._before or {}).get(check.name)
        if before is not None and before.late:
            return before
        try:
            output = await self._output(check, may_ask, ran) if check.command else ToolOutput("")
            if output is None:
                return CheckResult("cannot_run", why=NOT_PERMITTED)
            read: CheckResult = await on_daemon_thread(partial(checker.result, check, output, self._workspace, tuple(changes)))
            return read
        except AgenticError as error:
            self._complain(error)
            return CheckResult("cannot_run", why=str(error))

    async def _output(self, check: Check, may_ask: bool, ran: Mapping[str, ToolOutput]) -> ToolOutput | None:
        """Returns the output of the check's command, None where it may not be run."""
        command = f"{check.command} {check.extra}".strip()
        if not self._approver.is_free(command) and (passed := self._passed(check, ran)):
            return passed
        if not self._is_permitted(command, may_ask):
            return None
        output = await self._run_command(command, check.command)
        return None if output.exit_code is None else output  # None: it was refused

    def _passed(self, check: Check, ran: Mapping[str, ToolOutput]) -> ToolOutput | None:
        """The output of a command of the model's that shows what the check would, and passed."""
        here = re.compile(rf"cd (?:\.|{re.escape(str(self._workspace.root))})/? && ")
        for command, output in ran.items():
            line = " ".join(here.sub("", command.strip(), count=1).removesuffix("2>&1").split())
            if output.exit_code == 0 and (line == check.command or (check.also and re.fullmatch(check.also, line))):
                return output
        return None

    def _complain(self, error: AgenticError) -> None:
        if isinstance(error, PluginError):
            self._events.complain(error)

    def _finding(self, check: Check, result: CheckResult) -> Finding:
        before = (self._before or {}).get(check.name)
        could = before is not None and before.state != "cannot_run"
        if result.state == "cannot_run" and could and not result.late and result.why != NOT_PERMITTED:
            broken = Failure(check.name, f"it cannot be run any more: {result.why}", weight=HIDES)
            return Finding(check, replace(result, state="fails", failures=(broken,)), (broken,))
        was = {failure.name for failure in before.failures} if before else set()
        old = tuple(failure for failure in result.failures if failure.name in was)
        if before is None:
            counts = tuple(failure for failure in result.failures if failure.related)
        else:
            counts = tuple(each for each in result.failures if each.name not in was or (check.covers and each.related))
        return Finding(check, result, counts, tuple(failure for failure in old if failure not in counts))
