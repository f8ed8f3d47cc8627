"""The manual in the terminal: the pages come with the package."""

from collections.abc import Iterable

from agentic import Command, hookimpl


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("docs", "the manual: its pages, and where words are in them", "plugins_builtin.manual.command:command")
