"""The things to keep safe that depend on the tools people use: names, folders, variables, the looks of secrets."""

from collections.abc import Iterable
from typing import Literal

from agentic.hooks import hookspec
from agentic.lib.record import record

Kind = Literal["protected", "harmless", "asked", "private", "hidden", "variable", "secret"]


@record(frozen=True, slots=True)
class Safeguard:
    """A `pattern` of one kind. Patterns of paths and names have `*` and `?`, and `**` for any folders between.

    "protected": files that something runs or obeys, by path from the workspace's root; changing one is always asked about, also
    where it is not there yet, and commands cannot write it. `why` says what would run it.
    "harmless": of these, what a command may leave there: a folder, or a file that `why` as a regular expression fits as a whole.
    "asked": files that something may obey: changing one is asked about where a mode would allow every edit; a later pattern that
    begins with "!" takes files out again.
    "private": files that are only read after a question; a later pattern that begins with "!" takes files out again.
    "hidden": what commands do not see, from the root of the system or with `~/`.
    "variable": a name in the environment that commands get.
    "secret": a regular expression; what it finds in a tool's output, or its group `secret`, is masked before a model reads it.
    """

    kind: Kind
    pattern: str
    why: str = ""

    @property
    def name(self) -> str:
        """By which two of them are told apart."""
        return f"{self.kind}:{self.pattern}".replace(" ", "\\s")


@hookspec
def agentic_safeguards() -> Iterable[Safeguard]:
    """Offers safeguards; all of them count. No project may switch off a plugin that does."""
    raise NotImplementedError
