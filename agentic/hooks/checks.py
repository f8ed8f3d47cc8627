"""The checks that show whether the work is right: tests, compilers, linters, and what can be read off the files alone."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from agentic.hooks import Provider, hookspec
from agentic.lib.record import record
from agentic.types import Change, ToolOutput

if TYPE_CHECKING:
    from agentic.lib.workspace import Workspace

Authority = Literal["proof", "hint"]
State = Literal["passes", "fails", "cannot_run"]
HIDES = 100
"""The weight of a failure that hides others: of a file that cannot be imported, of a check that cannot be run any more."""


@record(frozen=True)
class Check:
    """Something that can be looked at: `name` is the same before and after a change, `what` is for people ("the tests").

    `command` is run in the workspace's folder, as commands are, with the `extra` words behind it that make the runner's report; ""
    for what the checker reads off the files itself. Only a "proof" decides how a task ended, a "hint" is told to the model once.
    `also` is a regular expression for other commands that show the same, whole: where the model ran one of them and it passed, that
    counts, and nobody is asked about the check's own.
    `form`: it shows no more than that something can be read or built; only a passing proof of behaviour makes a task done.
    Where `covers` is set, what failed before a change and still does counts if it has to do with the change; else only what is new.
    """

    name: str
    what: str
    command: str = ""
    extra: str = ""
    authority: Authority = "proof"
    covers: bool = True
    also: str = ""
    form: bool = False


@record(frozen=True)
class Failure:
    """A thing that fails: `name` is stable between two runs, `message` says what is wrong in a few lines.

    `related` is whether it has to do with what was changed. `files` are where the mistake may be, the likeliest first. `own` is a
    test that was made in this task: what it shows is a hint. `weight` is how many failures it stands for.
    """

    name: str
    message: str = ""
    related: bool = True
    files: tuple[str, ...] = ()
    own: bool = False
    weight: int = 1


@record(frozen=True)
class CheckResult:
    """`why` says what is missing where it "cannot_run" here: no runner, no dependency, no tests, no time.

    `late`: it took longer than a command may take, and would again. `some_pass`: not all that it looked at fails; of how many that
    is, `total`, 0 where that is not known.
    """

    state: State
    failures: tuple[Failure, ...] = ()
    why: str = ""
    late: bool = False
    some_pass: bool = False
    total: int = 0


class Checker(Protocol):
    """A checker of one session. It may remember what it saw before the first change."""

    def checks(self, task: str, workspace: "Workspace", changes: Sequence[Change]) -> list[Check]:
        """Returns the checks that are possible here. Without `changes` it is asked for what was there before any."""
        ...

    def result(self, check: Check, output: ToolOutput, workspace: "Workspace", changes: Sequence[Change]) -> CheckResult:
        """Returns what the check's command showed; `output` is empty for a check without one."""
        ...


@record(frozen=True, slots=True)
class JudgeVerdict:
    """`status` is done, unchecked or gave_up; `note` one sentence for the user. `word` is what the model is told, "" for nothing.

    `files` are those to correct, likeliest first; `failures` their number, `check` shows the first. `matters`: a statement differs.
    `tests` says how many pass of how many, (0, 0) where no runner says so.
    """

    status: str
    note: str = ""
    word: str = ""
    files: tuple[str, ...] = ()
    failures: int = 0
    check: str = ""
    matters: bool = True
    tests: tuple[int, int] = (0, 0)


@runtime_checkable
class ComparesFiles(Protocol):
    """The optional addition to a checker that can tell whether two contents of a file mean the same."""

    def same(self, path: str, before: bytes, after: bytes) -> bool:
        """True if every statement is as it was, comments and blank lines aside; False as well where it cannot tell."""
        ...


@record(frozen=True)
class BeforeEnd:
    """Asked when the model means that the task is done. `run` takes by name what it needs of this, and gives a text for the model.

    `run(task, result, times, agent, workspace, changes, setup)`: with a text the model goes on, with None or "" it may end.
    `times` it was sent on already, `changes` are the files that it changed. A failure lets it end.
    """

    name: str
    summary: str
    run: Callable[..., Any]


@hookspec
def agentic_checkers() -> Iterable[Provider[Checker] | BeforeEnd]:
    """Offers checkers, and what is asked before the end; all are used."""
    raise NotImplementedError
