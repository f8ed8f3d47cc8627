"""Landlock and seccomp: for where namespaces are not to be had, as in a container with Docker's default profile.

Landlock only knows what is allowed: hiding a folder means allowing everything beside it.
"""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from agentic import Launch, LaunchPolicy, ToolError
from plugins_builtin.sandbox import seccomp
from plugins_builtin.sandbox.confine import landlock_version

_SOCKETS = (Path("/run"), Path("/var/run"))
_DEVICES = ("null", "zero", "full", "random", "urandom")
_TERMINALS = tuple(Path(f"/dev/{name}") for name in ("tty", "ptmx", "pts", "console"))  # the user's: a command has none
_TCP, _SIGNALS = 4, 6  # the versions from which on it holds them


class Landlock:
    confines = True

    @property
    def gaps(self) -> Sequence[str]:
        version = landlock_version()
        found = [
            "protected files are put back after the command, not kept from it",
            "files of secrets in the workspace, such as .env, can be read",
            "mode, owner and times of your own files elsewhere can be changed",
            "no pseudo-terminals: a command would reach the user's, too",
            "which processors your other processes may use can be changed",
            "no servers of its own: without a network namespace there is no loopback apart",
            "names, not contents, of other processes can be seen in /proc",
        ]
        return [*found, *(["signals to your other processes"] if version < _SIGNALS else [])]

    def wrap(self, argv: Sequence[str], policy: LaunchPolicy) -> Launch:
        if not landlock_version() or not seccomp.supported():
            raise ToolError("this kernel has no Landlock" if seccomp.supported() else "no filter is known for this processor")
        if inside := _hidden_inside(policy):
            raise ToolError(f"Landlock cannot hide {inside[0]} in {inside[1]}, which commands may write to")
        devices = [f"/dev/{name}" for name in _DEVICES]
        if policy.devices:
            devices += [f"/dev/{name}" for name in os.listdir("/dev") if name.startswith(("nvidia", "dri", "kfd"))]
        families = [seccomp.AF_INET, seccomp.AF_INET6, seccomp.AF_NETLINK] if policy.network else []
        arguments = {
            "readable": list(_readable(policy.hidden)),
            "writable": [str(path) for path in (*policy.writable, policy.temporary)] + devices,
            "network": policy.network,
            "filter": seccomp.program(tuple(families), apart=False).hex(),
        }
        return Launch(tuple(argv), {}, "plugins_builtin.sandbox.confine:confine", arguments)


def _hidden_inside(policy: LaunchPolicy) -> tuple[Path, Path] | None:
    """(a hidden path, the writable folder around it): what may be written there can be read, and made."""
    home = Path.home().resolve()
    for folder in (*policy.writable, policy.temporary):
        real = Path(os.path.realpath(folder))
        for path in policy.hidden:
            found = Path(os.path.realpath(path))
            if found.is_relative_to(real) and (found.exists() or home.is_relative_to(real)):
                return path, folder
    return None


@lru_cache(maxsize=8)
def _readable(hidden: tuple[Path, ...]) -> tuple[str, ...]:
    """Returns the readable paths of the system at the first command.

    A path that appears later beside a hidden folder cannot be read.
    """
    real = {Path(os.path.realpath(path)) for path in (*hidden, *_SOCKETS, *_TERMINALS) if os.path.lexists(path)}
    return tuple(str(path) for path in _but(Path("/"), real))


def _but(folder: Path, hidden: set[Path]) -> Iterator[Path]:
    """Yields the paths to allow so that all of the folder is allowed, without what is hidden in it."""
    if folder in hidden:
        return
    if not any(path.is_relative_to(folder) for path in hidden):
        yield folder
        return
    try:
        with os.scandir(folder) as entries:
            inside = [folder / entry.name for entry in entries if not entry.is_symlink()]
    except OSError:
        return
    for path in inside:
        yield from _but(path, hidden)
