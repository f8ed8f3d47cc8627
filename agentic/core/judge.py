"""How a task ended, by what was changed and what the checks show; and what the model still has to be told.

It knows no language, runner or tool. Only proofs decide. The model is asked again only where there is something new to say.
"""

import os
from collections.abc import Iterable, Sequence

from agentic.core.agent import Agent
from agentic.core.proofs import NOT_PERMITTED, Finding, Proofs
from agentic.hooks.checks import Failure, JudgeVerdict
from agentic.lib import mentions
from agentic.lib.announcing import asks_back
from agentic.lib.contents import content_of, same_lines
from agentic.lib.listing import first_few
from agentic.lib.workspace import Workspace
from agentic.plugins.prompts import Prompts

MAX_ROUNDS = 4
MAX_FAILURES = 6
MAX_CHARACTERS = 1_500  # of what fails, as the model is told
MAX_NAMED = 3
MAX_COMMAND = 60  # characters of a command that is told as it is


class Judge:
    """The judge of one task. `may_ask` allows commands that need a question. `plan_check` is a command that a plan names."""

    def __init__(self, task: str, agent: Agent, proofs: Proofs, prompts: Prompts, workspace: Workspace, may_ask: bool) -> None:
        self._agent = agent
        self._proofs = proofs
        self._prompts = prompts
        self._workspace = workspace
        self._may_ask = may_ask
        self._missing = [path for path in mentions.named_files(task, workspace.root) if not self._there(path)]
        self._told: set[str] = set()
        self._hinted: set[str] = set()
        self._rounds = 0
        self.plan_check, self.asks_to_show = "", True
        self.evidence: tuple[str, ...] = ()
        self.verdict = JudgeVerdict("done")

    async def opening(self) -> JudgeVerdict:
        """Returns a verdict on the failures from before any change, for models that should see them first."""
        if not self._agent.profile.failures_first:
            return JudgeVerdict("done")
        await self._proofs.before_change()
        return self._of_failures(self._proofs.before())

    async def goes_on(self) -> bool:
        """Judges, tells the agent what it has to be told, and says whether there was any."""
        self.verdict = verdict = await self.look()
        repeats = self._agent.profile.restarts  # it begins anew each time: the same word may help it yet
        again = self._rounds < (repeats or MAX_ROUNDS) and (repeats or verdict.word not in self._told)
        if not (verdict.word and again and self._agent.has_calls_left):
            return False
        self._rounds += 1
        self._told.add(verdict.word)
        self._agent.sample_otherwise()
        self._agent.tell(verdict.word)
        return True

    async def look(self) -> JudgeVerdict:
        """Judges what the agent did, and tells it nothing."""
        work = self._agent.tools.work
        if work.undone:
            parts = ", ".join(work.undone)
            return JudgeVerdict("gave_up", f"Not done: {parts}.", self._prompts("judge.not_done", parts=parts))
        if not (left := self._net_changes()):
            return self._without_changes()
        findings = await self._proofs.look(list(work.changes.values()), self._may_ask, self.plan_check, work.ran)
        self.evidence = tuple(f"{each.check.command or each.check.what}: {each.result.state}" for each in findings)
        if (failing := self._of_failures(findings)).word:
            return failing
        word = self._hint([finding for finding in findings if finding.hints]) or self._word_of_missing()
        status, note = self._status(findings, left)
        if not word and all(self._means_the_same(path) for path in left):
            word = self._first_time("judge.same", files=", ".join(left))
            return JudgeVerdict("unchecked", "Only comments and blank lines were changed.", word, matters=False)
        if not word and status == "unchecked" and self._could_show(findings):
            word = self._first_time("judge.show", files=first_few(left, MAX_NAMED))
        hints, tests = sum(len(each.hints) for each in findings), _tests(findings)
        return JudgeVerdict(status, note, word, tuple(work.changes) if word else (), hints, tests=tests)

    def _could_show(self, findings: Sequence[Finding]) -> bool:
        """True if a checker knows these files and has nothing to run, and the model ran nothing since its change, though it may."""
        tools = self._agent.tools
        runs = (
            any(each.check.command and not each.check.form for each in findings) or tools.work.ran or self._agent.profile.restarts
        )
        return self.asks_to_show and bool(findings) and tools.may_run and not (runs or self._not_there())

    def _without_changes(self) -> JudgeVerdict:
        """Nothing was changed: there is nothing to judge, unless the model or the task meant to change something."""
        failing, tried = self._of_failures(self._proofs.before()), self._agent.tools.work.tried
        if failing.word:
            return failing if tried else JudgeVerdict("unchecked", f"Nothing was changed; `{failing.check}` fails as before.")
        if not tried:
            return JudgeVerdict("done")
        word = self._word_of_missing() or self._first_time("judge.unchanged")
        return JudgeVerdict("unchecked", "No file was changed.", "" if asks_back(self._agent.last_words) else word, matters=False)

    def _net_changes(self) -> list[str]:
        """The files that are not as they were before the task."""
        space, originals = self._workspace, self._workspace.originals
        return [path for path in self._agent.tools.work.changes if content_of(space, path) != originals.get(path, ...)]

    def _means_the_same(self, path: str) -> bool:
        """True if nothing of a file differs but what no program minds."""
        before, now = self._workspace.originals.get(path), content_of(self._workspace, path)
        if before is None or now is None:
            return False
        return same_lines(before, now) or self._proofs.same(path, before, now)

    def _first_time(self, name: str, **words: str) -> str:
        word = self._prompts(name, **words)
        return "" if word in self._told else word

    def _of_failures(self, findings: Iterable[Finding]) -> JudgeVerdict:
        """The task is not done as long as these fail."""
        findings = [finding for finding in findings if finding.fails]
        if not findings:
            return JudgeVerdict("done")
        counted = [failure for finding in findings for failure in finding.counts if not failure.own]
        first = findings[0].check
        names = first_few([failure.name for failure in counted], MAX_NAMED)
        shown = f"`{first.command}` fails" if 0 < len(first.command) <= MAX_COMMAND else first.what
        word = "\n".join(
            self._prompts(
                "judge.fails",
                what=each.check.what,
                command=each.check.command or each.check.name,
                failures=_failures_in_words(each.counts),
            )
            for each in findings
        )
        files = tuple(dict.fromkeys(path for failure in counted for path in failure.files))
        note, count = f"Not done: {shown} ({names}).", sum(each.weight for each in counted)
        return JudgeVerdict("gave_up", note, word, files, count, first.command or first.what, tests=_tests(findings))

    def _hint(self, findings: Sequence[Finding]) -> str:
        """Once for each; of what was run, a model that begins anew hears it again: it has forgotten."""
        new = []
        for each in findings:
            word = self._prompts("judge.hint", what=each.check.what, failures=_failures_in_words(each.hints))
            if word not in self._hinted or (each.check.command and self._agent.profile.restarts):
                new.append(word)
        self._hinted.update(new)
        return "\n".join(new)

    def _not_there(self) -> str:
        """The files that the task names and that there still are not."""
        return ", ".join(path for path in self._missing if not self._there(path))

    def _word_of_missing(self) -> str:
        missing = self._not_there()
        return self._first_time("judge.not_there", files=missing) if missing else ""

    def _status(self, findings: Sequence[Finding], left: Sequence[str]) -> tuple[str, str]:
        """(status, note) where no proof fails; `left` are the files that differ now."""
        proofs = [finding for finding in findings if finding.check.authority == "proof"]
        passing = [finding for finding in proofs if finding.result.state != "cannot_run"]
        waiting = [finding for finding in proofs if finding.result.state == "cannot_run" and finding.check.command]
        if missing := self._not_there():
            return "unchecked", f"Not there: {missing}."
        ran = any(finding.shows for finding in passing)
        failed = self._agent.tools.work.last_failure
        if failed and not ran:
            return "unchecked", f"Not checked: the last command, `{failed}`, failed."
        if waiting and not ran:
            why = "" if waiting[0].result.why == NOT_PERMITTED else f", but {waiting[0].result.why}"
            return "unchecked", f"Not checked: `{waiting[0].check.command}` would check it{why}."
        old = [finding.check.what for finding in proofs for _ in finding.old]
        note = f"({old[0]}: {len(old)} failed before and still {'does' if len(old) == 1 else 'do'}.)" if old else ""
        return ("done", note) if ran else ("unchecked", note or f"Edited {first_few(left, MAX_NAMED)}; nothing here tests it.")

    def _there(self, path: str) -> bool:
        return os.path.lexists(self._workspace.root / path)


def _tests(findings: Iterable[Finding]) -> tuple[int, int]:
    results = [finding.result for finding in findings if finding.result.total]
    total = sum(result.total for result in results)
    return total - sum(len(result.failures) for result in results), total


def _failures_in_words(failures: Sequence[Failure]) -> str:
    shown = [failure.message or failure.name for failure in failures[:MAX_FAILURES]]
    more = [f"(and {len(failures) - MAX_FAILURES} more)"] if len(failures) > MAX_FAILURES else []
    text = "\n".join([*dict.fromkeys(shown), *more])
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}\n(cut)"
