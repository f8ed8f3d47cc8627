"""The things that travel with a tool call."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from agentic.lib.record import record


@record(frozen=True, slots=True)
class Grant:
    """The permissions of a command beyond the policy, by the user's own word or a rule's. It does not see `hidden` files either."""

    network: bool = False
    protected: bool = False
    secrets: bool = False
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """Returns the grant of what questions and rules name: "network", "protected", "secrets", or a folder to write in."""
        given = set(names)
        paths = tuple(Path(os.path.expanduser(each)) for each in given - {"network", "protected", "secrets"})
        return cls("network" in given, "protected" in given, "secrets" in given, paths)


def _nowhere(text: str) -> None:
    """Drops the text: nobody looks."""


@record(frozen=True, slots=True, kw_only=True)
class CallContext:
    """The context of a call: the `agent` that calls a tool, the `grant` that commands of this call get, None for no word about it,
    and `progress(text)`, which shows the user a piece of what the tool gives out while it runs."""

    agent: str = "main"
    grant: Grant | None = None
    progress: Callable[[str], None] = _nowhere
