"""`agentic plugins new`: writes a distribution with one small plugin that works, and a test that passes."""

from collections.abc import Iterable

from agentic import Command, hookimpl


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("plugins new", "writes a distribution with a small plugin that works, and a test", f"{__name__}.command:command")
