"""The Agent Client Protocol: agentic in Zed, JetBrains, Neovim, Emacs, or any other editor that speaks it."""

from collections.abc import Iterable

from agentic import Command, hookimpl


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("acp", "serves an editor that speaks the Agent Client Protocol", "plugins_builtin.acp.command:acp")
