"""Everything, always: for large windows and for comparison."""

from collections.abc import Callable, Sequence

from agentic import ContextOverflow, Message


class KeepAll:
    def fit(self, history: Sequence[Message], budget: int, count: Callable[[Message], int]) -> list[Message]:
        if sum(map(count, history)) > budget:
            raise ContextOverflow("the conversation does not fit the model's window any more", "context.strategy = window trims it")
        return list(history)
