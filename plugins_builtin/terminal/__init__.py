"""The terminal: the chat that `agentic` alone starts, and what any command shows there, in a pipe, or to programs."""

import sys
from collections.abc import Iterable

from agentic import ChatCommand, Command, Event, PluginInfo, Provider, Renderer, RendererSetup, Setup, hookimpl

DETACH = "plugins_builtin.terminal.detached.leaving:detach"


def _rich(setup: RendererSetup) -> Renderer:
    from plugins_builtin.terminal.below import Below
    from plugins_builtin.terminal.screen import TerminalScreen

    return TerminalScreen(setup.settings, setup.root, setup.palette, Below(setup.stdout, setup.palette.ascii))


def _plain(setup: RendererSetup) -> Renderer:
    from plugins_builtin.terminal.plain import Plain

    return Plain(setup.stdout, setup.root, setup.settings)


def _jsonl(setup: RendererSetup) -> Renderer:
    from plugins_builtin.terminal.jsonl import Jsonl

    return Jsonl(setup.stdout)


@hookimpl
def agentic_renderers() -> Iterable[Provider[Renderer]]:
    yield Provider("rich", "colours, and a live region below the text", _rich, default=True)
    yield Provider("plain", "the answer on stdout, the rest on stderr", _plain, stands_in=True)
    yield Provider("jsonl", "one JSON object a line", _jsonl)


@hookimpl
def agentic_commands() -> Iterable[Command | ChatCommand]:
    from plugins_builtin.terminal.slash import COMMANDS

    summary = "opens a conversation with tools; so does `agentic` alone in a terminal"
    yield Command("chat", summary, "plugins_builtin.terminal.command:command", is_default=True)
    yield from COMMANDS
    where = "plugins_builtin.terminal.detached.command"
    yield Command("attach", "shows in this terminal a session that runs without one", f"{where}:attach")
    yield Command("ps", "lists the sessions that run without a terminal", f"{where}:ps")
    yield Command("stop", "ends a session that runs without a terminal", f"{where}:stop")


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(flags={"--detach": f"{DETACH} run without this terminal; prints a name for `agentic attach`"})


@hookimpl
async def agentic_on_event(event: Event, setup: Setup) -> None:
    leaving = sys.modules.get("plugins_builtin.terminal.detached.leaving")
    if leaving is not None:  # else this is no process that can be left
        leaving.now.heard(event, setup.settings.ui.notify_command)
