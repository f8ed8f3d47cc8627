"""Questions about a folder and the settings there, outside of any session."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentic.config import Settings
from agentic.core.runtime import bare_setup, find_servers
from agentic.hooks.transport import Found
from agentic.lib.families import Family, family_of
from agentic.plugins import Host, host_of

if TYPE_CHECKING:
    from agentic.core.policy import Policy
    from agentic.hooks.launcher import Attempted, Launcher
    from agentic.trust import Runnable


def policy(root: Path, settings: Settings, host: Host | None = None) -> "Policy":
    """Returns what guards say of calls in `root`: `policy(...).of_command("git push")`. Raises ConfigError, PluginError."""
    from agentic.core.guards import policy_here

    return policy_here(settings, host or host_of(settings), root)


def take_up(root: Path, settings: Settings) -> str:
    """Has the session know what its command did that a kill cut off here; a line that names what is protected of it."""
    return policy(root, settings).take_up()


def family(settings: Settings, served: str, template: str = "", shown: Sequence[str] = ()) -> Family:
    """The family of what is served under that name, by the facts that the installed plugins have."""
    return family_of(served, [offer.record for offer in host_of(settings).offers("agentic_families").values()], template, shown)


async def found_servers(settings: Settings) -> list[Found]:
    """The servers that run on this machine, as far as the installed transports know any."""
    return await find_servers(settings, host_of(settings))


async def sandbox_status(settings: Settings, root: Path) -> "Launcher":
    """Returns what starts commands here, opened and closed again. Raises ConfigError where one is required and none works."""
    launcher = _launcher(settings, root)
    try:
        await launcher.ready()
    finally:
        await launcher.aclose()
    return launcher


async def sandbox_report(settings: Settings, root: Path) -> "AsyncIterator[Attempted]":
    """Tries each launcher that could hold commands here, in a folder below the home folder and in the home folder itself."""
    from agentic.hooks.launcher import Reports

    launcher = _launcher(settings, root)
    try:
        if isinstance(launcher, Reports):
            async for each in launcher.report():
                yield each
    finally:
        await launcher.aclose()


def _launcher(settings: Settings, root: Path) -> "Launcher":
    from agentic.core.guards import launcher_of

    host = host_of(settings)
    return launcher_of(settings, host, bare_setup(settings, host, root), policy(root, settings, host))


def runnables(root: Path, settings: Settings, report: Callable[[str], None]) -> "list[Runnable]":
    """Returns the folder's runnables of all kinds. A finder that fails adds none, and `report` is told."""
    from agentic.core.runnables import runnables_of

    return runnables_of(host_of(settings), root, report)


def prompts(settings: Settings) -> dict[str, tuple[str, str]]:
    """(the text, where it comes from) of each text that models read, by name. Raises ConfigError."""
    from agentic.plugins.prompts import Prompts

    known = Prompts(host_of(settings), settings.prompts.texts)
    return {name: (text, known.origins[name]) for name, text in sorted(known.texts.items())}


def undecided(root: Path, settings: Settings) -> "list[Runnable]":
    """Returns the folder's runnables that the user has not decided on: `agentic.trust.Trust(root).decide` keeps a decision."""
    from agentic.core import runnables

    return runnables.undecided(host_of(settings), root)


def selected_by_default(settings: Settings) -> dict[str, str]:
    """The providers that are taken where a key that selects one is empty, by that key."""
    from agentic.hooks.tools import Tool

    hooks = (host := host_of(settings)).every_hook().items()
    return {each.selected_by: host.default(hook) for hook, each in hooks if each.selected_by and each.protocol not in (None, Tool)}
