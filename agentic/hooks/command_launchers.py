"""The launchers that hold commands to a policy: in a sandbox, in a container, on a remote machine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from agentic.hooks import Provider, hookspec
from agentic.lib.record import record


@record(frozen=True, slots=True)
class LaunchPolicy:
    """The limits on a command. It works in `folder` and reads the system, but nothing of what is `hidden`.

    It writes below `writable` and `temporary` (its /tmp, where that can be), but not to what is `protected`. It reaches the
    `network`, or nothing but servers of its own. `devices` are for computing: GPUs. `readable` is what it needs to read wherever
    that lies, also in a temporary folder: our own program. `private` are files of secrets in the folder itself, not to be read.
    """

    folder: Path
    writable: tuple[Path, ...]
    temporary: Path
    protected: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    network: bool = False
    devices: bool = False
    readable: tuple[Path, ...] = ()
    private: tuple[Path, ...] = ()


@record(frozen=True, slots=True)
class Launch:
    """How a command is started. `inputs` are files for it: where `argv` has `{name}`, the number of the open file stands.

    `confine` "module:function" is called with `arguments` in the child, between fork and exec; what it raises starts nothing.
    """

    argv: tuple[str, ...]
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    confine: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


class CommandLauncher(Protocol):
    """A launcher of commands.

    With `keeps_protected = True` it lets no command change what is `protected`, which need not be looked at afterwards.
    """

    @property
    def confines(self) -> bool:
        """True if it holds the policy, as far as `gaps` does not say otherwise."""
        ...

    @property
    def gaps(self) -> Sequence[str]:
        """The parts of the policy that it leaves open, each in a few words for people."""
        ...

    def wrap(self, argv: Sequence[str], policy: LaunchPolicy) -> Launch:
        """How `argv` is started under the policy. Raises ToolError where it cannot be held: the command is not run then."""
        ...


@hookspec
def agentic_command_launchers() -> Iterable[Provider[CommandLauncher]]:
    """Offers launchers, selected by `sandbox.launcher`; else the first that works here of those with `automatic`, in that order.

    One that fails starts nothing.
    """
    raise NotImplementedError
