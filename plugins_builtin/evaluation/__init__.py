"""`agentic eval`: tasks of your own, done with any settings, and two settings compared on them."""

from collections.abc import Iterable

from agentic import Command, hookimpl


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("eval", "runs your own tasks with any settings, and compares two settings", f"{__name__}.command:command")
