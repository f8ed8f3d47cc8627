"""Further commands of the command line."""

from collections.abc import Iterable

from agentic.hooks import Command, hookspec


@hookspec
def agentic_commands() -> Iterable[Command]:
    """Offers commands; a builtin command's name cannot be taken."""
    raise NotImplementedError
