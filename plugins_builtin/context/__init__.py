"""What of a history goes into a request."""

from collections.abc import Callable, Iterable, Sequence

from agentic import ContextStrategy, Message, Provider, hookimpl


class KeepAll:
    """Everything, always: for large windows and for comparison."""

    def fit(self, history: Sequence[Message], budget: int, count: Callable[[Message], int]) -> list[Message]:
        return list(history)


class Window:
    """The system text, the task and the newest whole turns that fit; a turn is an assistant message and what answers it."""

    def fit(self, history: Sequence[Message], budget: int, count: Callable[[Message], int]) -> list[Message]:
        head_length = next((i for i, message in enumerate(history) if message.role == "assistant"), len(history))
        head, tail = list(history[:head_length]), list(history[head_length:])
        starts = [i for i, message in enumerate(tail) if message.role == "assistant"]
        room = budget - sum(map(count, head))
        sizes = [count(message) for message in tail]
        first = next((start for start in starts if sum(sizes[start:]) <= room), starts[-1] if starts else 0)
        return head + tail[first:]


@hookimpl
def agentic_context_strategies() -> Iterable[Provider[ContextStrategy]]:
    yield Provider("window", "the task and the newest whole turns that fit the budget", lambda setup: Window())
    yield Provider("keep_all", "the whole history", lambda setup: KeepAll())
