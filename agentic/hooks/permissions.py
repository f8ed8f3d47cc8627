"""Guards of the user: they judge what agents want to do, say what has to be kept safe, and look at what commands did."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from agentic.hooks import Provider, Setup, hookspec
from agentic.hooks.command_readers import CommandReading
from agentic.lib.record import record
from agentic.types import Change

if TYPE_CHECKING:
    from agentic.lib.safeguards import Safeguards
    from agentic.lib.workspace import Workspace
    from agentic.sessions.undo import Journal

Decision = Literal["allow", "ask", "deny", ""]
Scope = Literal["session", "project", "user"]
STRICTNESS: Mapping[str, int] = {"allow": 0, "": 1, "ask": 2, "deny": 3}
"""The strictest part decides for the whole; a part of which nothing is said keeps the whole from being allowed."""


@record(frozen=True, slots=True)
class Judgement:
    """The decision on a call, "" where nothing is said of it. `why` is for people.

    `dangers` and what is protected ask in every mode. `proposals` are the rules that would allow it from now on, `needs` what it
    takes of a sandbox, `granted` what of that a rule gives. `doubts` are why the mode `edits` is not word enough.
    """

    decision: Decision = ""
    why: str = ""
    dangers: tuple[str, ...] = ()
    proposals: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()


class Permissions(Protocol):
    """A guard. Of several the strictest judgement counts; one that fails denies."""

    def of_command(self, command: str, tool: str = "", check: str = "") -> Judgement:
        """Judges a shell command, and the tool that runs it.

        `check` is the part of it that a checker runs, without the words that make its report.
        """
        ...

    def of_path(self, kind: str, path: str, tool: str = "") -> Judgement:
        """Judges reading ("read") or changing ("edit") a file, by its path from the root, or from the system's."""
        ...

    def of_host(self, host: str, tool: str = "") -> Judgement:
        """Judges reading what a host has."""
        ...

    def of_tool(self, name: str) -> Judgement:
        """Judges the use of a tool that runs no command and writes no file that can be seen."""
        ...


@runtime_checkable
class KeepsRules(Protocol):
    """The optional addition to a guard that has rules of the user's."""

    def rules(self) -> Sequence[tuple[str, str, str]]:
        """(decision, rule, where it stands) of each."""
        ...

    def check_rule(self, text: str) -> None:
        """Raises ConfigError for what is no rule."""
        ...

    def remember(self, rules: Sequence[str], scope: Scope) -> None:
        """From now on these are allowed. Raises ConfigError, OSError where that cannot be kept."""
        ...

    def denied_programs(self) -> Iterable[str]:
        """Returns the programs that are denied with any words: a command does not find them."""
        ...


@runtime_checkable
class KeepsSafe(Protocol):
    """The optional addition to a guard that knows what has to be kept safe."""

    def safeguards(self) -> "Safeguards": ...

    def protected(self, path: str) -> str:
        """Returns the reason to protect the file of that name, such as what would run or obey it; "" for any other."""
        ...

    def needs_word(self, path: str, access: str) -> str:
        """Returns why a file of the folder is not touched without the user's word, "" where it may be."""
        ...


@runtime_checkable
class ReadsCommands(Protocol):
    """The optional addition to a guard that reads command lines."""

    def reading(self, command: str) -> CommandReading:
        """Returns what is known of a command line, which is never run for that."""
        ...


class CommandWatch(Protocol):
    """A watch over what commands do to one folder."""

    @property
    def private(self) -> tuple[Path, ...]:
        """The files that the next command must not read."""
        ...

    async def prepare(self) -> None:
        """Looks at the folder for the first time, so that the first command need not wait for it."""
        ...

    async def before(self) -> None:
        """A command is about to start."""
        ...

    async def after(self, may_change_protected: bool) -> tuple[list[Change], str]:
        """(what the command changed, a line about what was put back, "" for none)"""
        ...

    async def settle(self) -> None:
        """Nothing that commands started runs any more."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class WatchesCommands(Protocol):
    """The optional addition to a guard that looks at what commands do to files, and can take it back."""

    def watch(self, workspace: "Workspace", keeps: bool) -> CommandWatch:
        """Returns the watch of a folder. `keeps`: what commands change there can be taken back by the session."""
        ...

    def take_up(self) -> str:
        """Has the session know what its command did that a kill cut off here; a line for the user, "" for nothing."""
        ...


async def _none_held(folder: Path) -> Collection[str]:
    return ()


@record(frozen=True, slots=True, kw_only=True)
class PermissionsSetup(Setup):
    """`safeguards()` are what all guards say has to be kept safe.

    `tools` are the names of all tools of plugins, and `has_more_tools` says that others' may come. `roots` are further folders to
    work in, which the user may add to. `journal` keeps what is changed,
    None outside a session. `warn` shows a line. `lingers()` are the numbers of commands in the background,
    `unchangeable(folder)` the protected names that no command can change.
    """

    safeguards: "Callable[[], Safeguards]"
    tools: Collection[str] = ()
    has_more_tools: bool = False
    roots: Sequence[Path] = ()
    journal: "Journal | None" = None
    warn: Callable[[str], None] = lambda text: None
    lingers: Callable[[], frozenset[int]] = frozenset
    unchangeable: Callable[[Path], Awaitable[Collection[str]]] = _none_held


@hookspec
def agentic_permissions() -> Iterable[Provider[Permissions]]:
    """Offers guards; all of them are asked. The factory gets a `PermissionsSetup`."""
    raise NotImplementedError
