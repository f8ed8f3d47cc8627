"""The launchers that hold commands to their policy, the strongest first: bubblewrap, Landlock, and on macOS sandbox-exec."""

import sys
from collections.abc import Iterable

from agentic import CommandLauncher, Provider, Setup, hookimpl


def _bubblewrap(setup: Setup) -> CommandLauncher:
    from plugins_builtin.sandbox.bubblewrap import Bubblewrap

    return Bubblewrap()


def _landlock(setup: Setup) -> CommandLauncher:
    from plugins_builtin.sandbox.landlock import Landlock

    return Landlock()


def _seatbelt(setup: Setup) -> CommandLauncher:
    from plugins_builtin.sandbox.seatbelt import Seatbelt

    return Seatbelt()


@hookimpl
def agentic_command_launchers() -> Iterable[Provider[CommandLauncher]]:
    linux, mac = sys.platform == "linux", sys.platform == "darwin"
    yield Provider("bubblewrap", "namespaces by bwrap, system calls by seccomp", _bubblewrap, automatic=10 if linux else 0)
    yield Provider("landlock", "files and TCP by Landlock, system calls by seccomp", _landlock, automatic=20 if linux else 0)
    yield Provider("sandbox-exec", "macOS's own sandbox", _seatbelt, automatic=10 if mac else 0)
