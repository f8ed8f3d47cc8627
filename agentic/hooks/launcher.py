"""The launcher, which starts the commands of tools."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from agentic.hooks import Provider, Setup, hookspec
from agentic.lib.calls import Grant
from agentic.lib.record import record

if TYPE_CHECKING:
    from agentic.lib.children import Child
    from agentic.lib.safeguards import Safeguards


class Launcher(Protocol):
    """Starts the commands of a session. Nothing of it runs before the first one."""

    @property
    def name(self) -> str:
        """The name of what holds commands, "" for nothing."""
        ...

    @property
    def confines(self) -> bool:
        """True if commands are held to their policy."""
        ...

    @property
    def gaps(self) -> Sequence[str]:
        """The parts of the policy that are left open, each in a few words for people."""
        ...

    @property
    def is_off(self) -> bool:
        """True if the user wants nothing that holds commands."""
        ...

    @property
    def refused(self) -> Mapping[str, str]:
        """Why each of those that were tried does not work here, by its name."""
        ...

    @property
    def temporary(self) -> Path:
        """The folder where commands may write besides the workspace: we see it under the same name as they do."""
        ...

    async def ready(self) -> None:
        """Raises ConfigError where something has to hold commands and nothing does."""
        ...

    async def start(self, argv: Sequence[str], folder: Path, output: int, grant: Grant) -> "Child":
        """Starts a command in `folder`; both of its outputs go to the descriptor. Raises ToolError, ConfigError."""
        ...

    async def unchangeable(self, folder: Path) -> Collection[str]:
        """The protected names in the folder that no command can change."""
        ...

    async def aclose(self) -> None:
        """Ends what still runs."""
        ...


@record(frozen=True, slots=True)
class Probe:
    """A way out by name. `why` it is closed is the system's own word."""

    name: str
    is_open: bool
    why: str = ""


@record(frozen=True, slots=True)
class Attempted:
    """A way to hold commands by its name, tried `at_home` or in a folder below: `why` it does not work, the ways out of it."""

    name: str
    at_home: bool
    why: str
    probes: Sequence[Probe] = ()


@runtime_checkable
class Reports(Protocol):
    """The optional addition to a launcher that can be tried."""

    def report(self) -> AsyncIterator[Attempted]:
        """Tries to get out of each way to hold commands."""
        ...


@record(frozen=True, slots=True, kw_only=True)
class LauncherSetup(Setup):
    """`safeguards()` are what has to be kept safe, `denied()` the programs that commands do not find.

    `opened(launcher)` is told when it is open. `roots` are further folders to work in; the user may add some meanwhile.
    """

    safeguards: "Callable[[], Safeguards]"
    denied: Callable[[], Iterable[str]] = tuple
    opened: "Callable[[Launcher], Any] | None" = None
    roots: Sequence[Path] = ()


@hookspec
def agentic_launchers() -> Iterable[Provider[Launcher]]:
    """Offers what starts commands; the default one is taken. The factory gets a `LauncherSetup`."""
    raise NotImplementedError
