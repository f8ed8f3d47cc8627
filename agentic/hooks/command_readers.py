"""The readers of command lines, which tell what programs a line would start, whatever they are wrapped in."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from agentic.hooks import Provider, hookspec
from agentic.lib.record import record


@record(frozen=True, slots=True)
class SimpleCommand:
    """A program with its words, as it would be started. A `wrapper` starts another one, which is judged for itself.

    `path` is the program's, where it is not one of the system's: a rule that allows `ls` does not mean `./ls`.
    `made_up`: some of its words are known only when it runs. `unknown`: it may start others, for all that is known of it; only a
    rule that names it allows it.
    """

    words: tuple[str, ...]
    wrapper: bool = False
    path: str = ""
    made_up: bool = False
    unknown: bool = False


@record(frozen=True, slots=True)
class CommandReading:
    """The facts known about a command line.

    `commands` are all simple commands in it, in pipelines, substitutions and wrappers too; `writes` the files that redirections
    write. `unclear` says why there may be more than that, "" where there is not: a rule cannot allow it then. `dangers` are why
    nobody should run it unasked, in whatever mode. `needs` is what it takes of a sandbox: "network", "protected". `sets`: it sets
    variables, so what follows is not what it is by itself: no rule allows it.
    """

    commands: tuple[SimpleCommand, ...] = ()
    writes: tuple[str, ...] = ()
    unclear: str = ""
    dangers: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    sets: bool = False


UNREAD = CommandReading(unclear="nothing here can read commands")
"""The reading of a line where no plugin reads."""


class CommandReader(Protocol):
    def read(self, command: str, root: Path) -> CommandReading:
        """Returns what the command would do in the folder `root`. It is never run."""
        ...


@hookspec
def agentic_command_readers() -> Iterable[Provider[CommandReader]]:
    """Offers readers; all of them are asked, and the strictest counts. Where none can tell, the user is asked."""
    raise NotImplementedError
