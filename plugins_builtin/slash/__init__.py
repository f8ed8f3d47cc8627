"""Slash commands for every front-end: on what is said, the model, the files."""

from collections.abc import Iterable

from agentic import ChatCommand, hookimpl


@hookimpl
def agentic_commands() -> Iterable[ChatCommand]:
    from plugins_builtin.slash import files, model, talk

    yield from talk.COMMANDS
    yield from model.COMMANDS
    yield from files.COMMANDS
