"""The guards of a session's tools: what judges calls, what starts commands, what looks at them; and the tools themselves."""

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agentic.config import Settings
from agentic.core.policy import Policy
from agentic.core.roles import VISION
from agentic.core.runtime import Runtime, bare_setup
from agentic.core.service import PluginLlm
from agentic.events import SandboxReady
from agentic.extras import DISTRIBUTION
from agentic.hooks.launcher import Launcher, LauncherSetup
from agentic.hooks.permissions import PermissionsSetup
from agentic.hooks.tools import Memory, StartsCommands, Tool, ToolSetup
from agentic.lib.children.jobs import Jobs
from agentic.lib.unconfined import Unconfined
from agentic.plugins import Host
from agentic.types import Outcome, Plan, ToolSpec

PERMISSIONS, LAUNCHERS = "agentic_permissions", "agentic_launchers"


def policy_of(host: Host, make_setup: Callable[..., Any], **more: Any) -> Policy:
    """Builds the guards of all plugins; `more` is what their setup has besides. Raises ConfigError, PluginError."""
    holder: list[Policy] = []
    sources = {offer.plugin for offer in host.offers("agentic_tool_sources").values()}
    more |= {"tools": list(host.offers("agentic_tools"))}
    more |= {"has_more_tools": any(host.distribution(plugin) != DISTRIBUTION for plugin in sources)}
    given = partial(make_setup, kind=PermissionsSetup, safeguards=lambda: holder[0].safeguards(), **more)  # noqa: PLW0108 - not there yet
    holder.append(Policy([host.build(PERMISSIONS, name, given) for name in sorted(host.offers(PERMISSIONS))]))
    return holder[0]


def policy_here(settings: Settings, host: Host, root: Path) -> Policy:
    """Returns the guards outside a session, as commands of the command line need them. Raises ConfigError, PluginError."""
    return policy_of(host, bare_setup(settings, host, root))


def launcher_of(
    settings: Settings, host: Host, make_setup: Callable[..., Any], policy: Policy, opened: Callable[[Launcher], Any] | None = None
) -> Launcher:
    """Returns what starts commands; without a plugin for that, nothing holds them."""
    if not host.offers(LAUNCHERS):
        return Unconfined(settings.sandbox.mode == "off")
    given = partial(make_setup, kind=LauncherSetup, safeguards=policy.safeguards, denied=policy.denied_programs, opened=opened)
    launcher: Launcher = host.build(LAUNCHERS, "", given)
    return launcher


def session_launcher(runtime: Runtime, policy: Policy, roots: Sequence[Path] = ()) -> Launcher:
    """Starts the session's commands; nothing of it runs before the first one."""

    async def announce(launcher: Launcher) -> None:
        await runtime.events.emit(SandboxReady(name=launcher.name, gaps=tuple(launcher.gaps)))
        if os.geteuid() == 0 and not launcher.confines:
            runtime.events.warn("this is root, and nothing holds commands: they can change the whole system")

    return launcher_of(runtime.settings, runtime.host, partial(runtime.setup, roots=roots), policy, announce)


def tools_of(
    runtime: Runtime,
    memory: Memory,
    delegate: Callable[[Plan], Awaitable[Outcome]],
    late_tools: Callable[[str], Awaitable[list[ToolSpec]]],
    late_about: str,
    start: StartsCommands,
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
        start=start,
        late_tools=late_tools,
        late_about=late_about,
        jobs=jobs,
        ask=ask,
        sees=PluginLlm(runtime.llm, VISION),
        result_tokens=runtime.llm.budget.result,
    )
    tools = {name: runtime.host.build("agentic_tools", name, setup) for name in names}
    return {name: tool for name, tool in tools.items() if late_about or not (tool.spec.finds or tool.spec.calls)}
