"""Further commands of the command line."""

from collections.abc import Iterable

from agentic.hooks import hookspec
from agentic.lib.record import record


@record(frozen=True, slots=True)
class Command:
    """A command `agentic NAME`; `target` is "module:attribute" of a click command, imported when it is called.

    `agentic.commands` has the common options and what opens a run.
    """

    name: str
    summary: str
    target: str


@hookspec
def agentic_commands() -> Iterable[Command]:
    """Offers commands; a builtin command's name cannot be taken."""
    raise NotImplementedError
