"""Further commands of the command line."""

from collections.abc import Iterable

from agentic.hooks import hookspec
from agentic.hooks.chat import ChatCommand
from agentic.lib.record import record


@record(frozen=True, slots=True)
class Command:
    """A command `agentic NAME`; `target` is "module:attribute" of a click command, imported when it is called.

    "plugins NAME" adds one to `agentic plugins`.
    `agentic.commands` has the common options and what opens a run.
    `is_default`: `agentic` alone starts it, in a terminal. `hidden`: it is for programs, and stands in no list.
    """

    name: str
    summary: str
    target: str
    is_default: bool = False
    hidden: bool = False


@hookspec
def agentic_commands() -> Iterable[Command | ChatCommand]:
    """Offers commands of the command line and slash commands; a name of agentic's own cannot be taken."""
    raise NotImplementedError
