"""The guards of a session's tools: safeguards, permissions, the sandbox that its commands run in."""

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from agentic.config import Settings
from agentic.core.permissions import Permissions, rules_of
from agentic.core.runtime import Runtime, bare_setup
from agentic.core.safeguards import Safeguards
from agentic.core.sandbox import Launchers, Sandbox
from agentic.events import SandboxReady
from agentic.extras import DISTRIBUTION
from agentic.folders import state_folder
from agentic.hooks.tools import Memory, Tool, ToolSetup
from agentic.lib.children.jobs import Jobs
from agentic.plugins import Host
from agentic.types import Outcome, Plan, ToolSpec

LAUNCHERS = "agentic_command_launchers"


def safeguards_of(host: Host) -> Safeguards:
    """Collects what all plugins say has to be kept safe."""
    return Safeguards(offer.record for offer in host.offers("agentic_safeguards").values())


def permissions_of(
    settings: Settings, host: Host, root: Path, safeguards: Safeguards, unwatched: Callable[[], str] = str
) -> Permissions:
    """The user's rules and the safeguards. `unwatched` says why commands ask though they are held, "" for no reason.

    Raises ConfigError for a rule that is none, PluginError.
    """
    readers = {
        name: host.build("agentic_command_readers", name, bare_setup(settings, host, root))
        for name in host.offers("agentic_command_readers")
    }
    rules = rules_of(settings)
    sources = {offer.plugin for offer in host.offers("agentic_tool_sources").values()}
    rules.check(host.offers("agentic_tools"), all(host.distribution(plugin) == DISTRIBUTION for plugin in sources))
    floor = unwatched if settings.permissions.floor else None
    return Permissions(rules, readers, safeguards, root.resolve(), state_folder(), floor)


def launchers_of(host: Host) -> list[str]:
    """The names of those that are tried where the user names none, the strongest first."""
    automatic = {name: offer.record.automatic for name, offer in host.offers(LAUNCHERS).items() if offer.record.automatic}
    return sorted(automatic, key=lambda name: automatic[name])


def sandbox_of(runtime: Runtime, safeguards: Safeguards, denied: Callable[[], Iterable[str]] = tuple) -> Sandbox:
    """Starts the session's commands; nothing of it runs before the first one."""

    async def announce(sandbox: Sandbox) -> None:
        await runtime.events.emit(SandboxReady(name=sandbox.name, gaps=tuple(sandbox.gaps)))
        if os.geteuid() == 0 and not sandbox.confines:
            runtime.events.warn("this is root, and nothing holds commands: they can change the whole system")

    launchers = Launchers(launchers_of(runtime.host), partial(runtime.build, LAUNCHERS))
    sandbox = Sandbox(runtime.settings.sandbox, launchers, safeguards, announce, runtime.root, denied)
    sandbox.conceal()
    return sandbox


def tools_of(
    runtime: Runtime,
    memory: Memory,
    delegate: Callable[[Plan], Awaitable[Outcome]],
    late_tools: Callable[[str], Awaitable[list[ToolSpec]]],
    late_about: str,
    sandbox: Sandbox,
    jobs: Jobs,
    ask: Callable[[str, Sequence[str]], Awaitable[str]],
) -> dict[str, Tool]:
    """The enabled tools by name; those that find or call late tools only where there can be any."""
    names = runtime.settings.tools.enabled or list(runtime.host.offers("agentic_tools"))
    setup = partial(
        runtime.setup,
        kind=ToolSetup,
        memory=memory,
        delegate=delegate,
        start=sandbox.start,
        late_tools=late_tools,
        late_about=late_about,
        jobs=jobs,
        ask=ask,
        result_tokens=runtime.llm.budget.result,
    )
    tools = {name: runtime.host.build("agentic_tools", name, setup) for name in names}
    return {name: tool for name, tool in tools.items() if late_about or not (tool.spec.finds or tool.spec.calls)}
