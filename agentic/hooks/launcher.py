"""What starts the commands that tools run: a sandbox, a container, a remote machine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agentic.hooks import Provider, hookspec


@dataclass(frozen=True, slots=True)
class LaunchPolicy:
    """What a command may do: it works in `folder`, writes below `writable`, and reaches the `network` or not."""

    folder: Path
    writable: tuple[Path, ...]
    network: bool = True


class CommandLauncher(Protocol):
    def wrap(self, argv: Sequence[str], policy: LaunchPolicy) -> list[str]:
        """The words that start `argv` under the policy. Raises ToolError where it cannot be held: the command is not run then."""
        ...


@hookspec
def agentic_command_launchers() -> Iterable[Provider[CommandLauncher]]:
    """Offers launchers, selected by `tools.launcher`. One that cannot be made, or fails, runs nothing."""
    raise NotImplementedError
