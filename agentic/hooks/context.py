"""The hook for strategies that choose what of a history goes into a request."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from agentic.hooks import Provider, hookspec
from agentic.hooks.complexity import Llm
from agentic.types import Message


class ContextStrategy(Protocol):
    """Fits a history into a budget. Keeps the system text and the task, never splits a call from its result."""

    def fit(self, history: Sequence[Message], budget: int, count: Callable[[Message], int]) -> list[Message]:
        """The conversation from now on: `history` itself while it fits, since everything behind a change is computed anew.

        `budget` in tokens, `count` gives a message's. Raises ContextOverflow where it cannot be made to fit.
        """
        ...


@runtime_checkable
class Condenses(Protocol):
    """A strategy that has something left to try when `fit` cannot fit a history."""

    async def condense(self, history: Sequence[Message], budget: int, count: Callable[[Message], int], llm: Llm) -> list[Message]:
        """May ask the model. Raises ContextOverflow where nothing helps."""
        ...


@hookspec
def agentic_context_strategies() -> Iterable[Provider[ContextStrategy]]:
    """Offers context strategies, selected by `context.strategy`."""
    raise NotImplementedError
