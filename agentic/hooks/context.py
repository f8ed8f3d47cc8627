"""What of a history goes into a request."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from agentic.hooks import Provider, hookspec
from agentic.types import Message


class ContextStrategy(Protocol):
    """Fits a history into a budget: never splits a call from its result, keeps the system text and the task."""

    def fit(self, history: Sequence[Message], budget: int, count: Callable[[Message], int]) -> list[Message]:
        """The messages to send. `budget` in tokens; `count` gives a message's tokens, never under the truth."""
        ...


@hookspec
def agentic_context_strategies() -> Iterable[Provider[ContextStrategy]]:
    """Offers context strategies, selected by `context.strategy`."""
    raise NotImplementedError
