"""Commands in a sandbox: bubblewrap, Landlock, on macOS sandbox-exec, whichever works; `agentic doctor --sandbox` tries them."""

import sys
from collections.abc import Iterable

from agentic import CommandLauncher, Hook, Launcher, LauncherSetup, Provider, Setup, hookimpl
from agentic.hooks import command_launchers


def _sandbox(setup: LauncherSetup) -> Launcher:
    from plugins_builtin.sandbox.starting import sandbox_of

    return sandbox_of(setup)


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
def agentic_add_hooks() -> Iterable[Hook]:
    yield Hook(Provider, CommandLauncher, (), "sandbox.launcher", guards=True, spec=command_launchers.agentic_command_launchers)


@hookimpl
def agentic_launchers() -> Iterable[Provider[Launcher]]:
    yield Provider("sandbox", "held to the folder by what works here", _sandbox, default=True)


@hookimpl
def agentic_command_launchers() -> Iterable[Provider[CommandLauncher]]:
    linux, mac = sys.platform == "linux", sys.platform == "darwin"
    yield Provider("bubblewrap", "namespaces by bwrap, system calls by seccomp", _bubblewrap, automatic=10 if linux else 0)
    yield Provider("landlock", "files and TCP by Landlock, system calls by seccomp", _landlock, automatic=20 if linux else 0)
    yield Provider("sandbox-exec", "macOS's own sandbox", _seatbelt, automatic=10 if mac else 0)
