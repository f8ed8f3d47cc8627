"""The chat in a terminal: `agentic` alone starts it, its slash commands on sessions and the screen."""

from collections.abc import Iterable

from agentic import ChatCommand, Command, hookimpl


@hookimpl
def agentic_commands() -> Iterable[Command | ChatCommand]:
    from plugins_builtin.terminal.slash import COMMANDS

    summary = "a conversation with tools; `agentic` alone starts it in a terminal"
    yield Command("chat", summary, "plugins_builtin.terminal.command:command", is_default=True)
    yield from COMMANDS
