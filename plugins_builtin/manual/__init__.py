"""The manual in the terminal: the pages come with the package."""

from collections.abc import Iterable

from agentic import Command, hookimpl


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("docs", "shows the manual, or searches it for words", "plugins_builtin.manual.command:command")
