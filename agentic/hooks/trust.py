"""The hook that finds what a project's files would run, told before any of it runs."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from agentic.hooks import hookspec
from agentic.lib.record import record
from agentic.trust import Runnable


@record(frozen=True, slots=True)
class RunnableFinder:
    """`find(root)` reads what a project brings of that kind that would run, and runs nothing. The plugin asks
    `agentic.trust.Trust(root).has(runnable)` before it uses one."""

    name: str
    summary: str
    find: Callable[[Path], Sequence[Runnable]]


@hookspec
def agentic_runnables() -> Iterable[RunnableFinder]:
    """Offers finders: the host shows what they find to the user, who says once whether it is trusted."""
    raise NotImplementedError
