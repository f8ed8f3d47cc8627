"""MCP servers, as `.mcp.json` names them: their tools are found and called, and stand in no prompt.

The SDK is imported when a server is spoken to for the first time, in a thread; what a server can do is kept on disk from then on.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentic import (
    Addition,
    ChatCommand,
    Command,
    Options,
    PluginInfo,
    RunnableFinder,
    Section,
    Setup,
    ToolSource,
    ToolSourceProvider,
    hookimpl,
    setting,
)
from agentic.hooks.chat import Chat
from agentic.once import OncePerSession

if TYPE_CHECKING:
    from agentic.trust import Runnable

SECONDS = 60.0  # a resource may come from a server that has to be started


class McpOptions(Section):
    """`[plugin.mcp]`"""

    timeout_seconds: float = setting(300.0, "how long a tool of an MCP server may take", scope="select")
    servers: str = setting("", "further servers, as JSON like that of .mcp.json: what an editor hands over", scope="user")
    start_seconds: float = setting(60.0, "how long a server may take to start: the first time it may be downloaded", scope="select")


def _source(setup: Setup) -> ToolSource:
    from plugins_builtin.mcp.source import Servers

    return Servers(setup)


def _find_servers(root: Path) -> "Sequence[Runnable]":
    from plugins_builtin.mcp.definitions import runnables

    return runnables(root)


@hookimpl
def agentic_tools() -> Iterable[ToolSourceProvider]:
    yield ToolSourceProvider("mcp", "tools of MCP servers", _source)


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(Options(McpOptions), (RunnableFinder("mcp-servers", "MCP servers of .mcp.json", _find_servers),), SECONDS)


_ONCE = OncePerSession("/mcp shows them")


def _faults(setup: Setup) -> Sequence[str]:
    from plugins_builtin.mcp.definitions import definitions

    found = definitions(setup.root, setup.options.servers)
    return [
        f"the MCP server {each.name} of {each.file} is not used: {each.fault}" for each in found if each.fault and not each.is_off
    ]


@hookimpl
async def agentic_before_task(task: str, session: str, setup: Setup) -> Addition | None:
    await _ONCE.warn(session, setup.emit, lambda: _faults(setup))
    if "@" not in task:
        return None
    from plugins_builtin.mcp.chat import mentioned

    return Addition(await mentioned(task, setup.root))


async def _show(argument: str, chat: Chat) -> None:
    from plugins_builtin.mcp.chat import show

    await show(chat)


def _prompts(root: Path) -> Sequence[ChatCommand]:
    from plugins_builtin.mcp.chat import prompt_commands

    return prompt_commands(root)


@hookimpl
def agentic_commands() -> Iterable[Command | ChatCommand]:
    yield ChatCommand("mcp", "shows the MCP servers, their state and what they offer", _show, more=_prompts, group="Project")
    yield Command("mcp", "lists, adds, removes, tests MCP servers; serve runs agentic as one", "plugins_builtin.mcp.command:mcp")
