"""Kinds of agents: what a sub-agent, or the main one, is told to be, and what it may do."""

from collections.abc import Callable, Sequence
from pathlib import Path

from agentic.lib.record import record


@record(frozen=True, slots=True)
class AgentKind:
    """`text` is what an agent of that kind reads before its task; `summary` is what others read who may hand it one.

    It may call the `tools`, patterns of names, or all where there are none, but never those `without` which it is; one that
    `reads_only` calls none that changes anything.
    `role` is that of the model it uses ("small"; "" is as for any other agent). One that `plans` ends in a plan, which the user
    approves before it is carried out. `more(root)` are the kinds that a folder brings besides.
    """

    name: str
    summary: str
    text: str
    tools: tuple[str, ...] = ()
    reads_only: bool = False
    role: str = ""
    plans: bool = False
    without: tuple[str, ...] = ()
    more: "Callable[[Path], Sequence[AgentKind]] | None" = None
