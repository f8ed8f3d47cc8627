"""`agentic batch`: many prompts of a file, answered together; what is done survives a kill."""

from collections.abc import Iterable

from agentic import Command, hookimpl


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command(
        "batch", "answers each line of a JSONL file; continues where a kill stopped it", "plugins_builtin.batch.command:command"
    )
