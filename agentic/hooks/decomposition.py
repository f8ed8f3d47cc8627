"""A task into a plan of subtasks."""

from collections.abc import Iterable
from typing import Protocol

from agentic.hooks import Provider, hookspec
from agentic.hooks.complexity import Llm
from agentic.types import Plan


class Decomposer(Protocol):
    async def decompose(self, task: str, llm: Llm) -> Plan:
        """Two to five subtasks that can be built independently. Raises ModelOutputError when the model gives no plan."""
        ...


@hookspec
def agentic_decomposers() -> Iterable[Provider[Decomposer]]:
    """Offers decomposers, selected by `decomposition.strategy`."""
    raise NotImplementedError
