"""The things that travel with a tool call."""

from collections.abc import Callable
from pathlib import Path

from agentic.lib.record import record


@record(frozen=True, slots=True)
class Grant:
    """The permissions of a command beyond the policy, by the user's own word or a rule's. It does not see `hidden` files either."""

    network: bool = False
    protected: bool = False
    secrets: bool = False
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()


def _nowhere(text: str) -> None:
    """Drops the text: nobody looks."""


@record(frozen=True, slots=True, kw_only=True)
class CallContext:
    """The context of a call: the `agent` that calls a tool, the `grant` that commands of this call get, None for no word about it,
    and `progress(text)`, which shows the user a piece of what the tool gives out while it runs."""

    agent: str = "main"
    grant: Grant | None = None
    progress: Callable[[str], None] = _nowhere
