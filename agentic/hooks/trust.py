"""The finders of what a project's files would run, told before any of it runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentic.lib.record import record

if TYPE_CHECKING:
    from agentic.trust import Runnable


@record(frozen=True, slots=True)
class RunnableFinder:
    """`find(root)` reads what a project brings of that kind that would run, and runs nothing. The plugin asks
    `agentic.trust.Trust(root).has(runnable)` before it uses one."""

    name: str
    summary: str
    find: "Callable[[Path], Sequence[Runnable]]"
