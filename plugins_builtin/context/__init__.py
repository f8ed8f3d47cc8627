"""The built-in strategies that choose what of a history goes into a request."""

from collections.abc import Iterable

from agentic import ContextStrategy, Provider, hookimpl
from plugins_builtin.context.keep_all import KeepAll
from plugins_builtin.context.window import Window


@hookimpl
def agentic_context_strategies() -> Iterable[Provider[ContextStrategy]]:
    yield Provider(
        "window",
        "trims are rare but large: tool outputs first, then the oldest turns",
        lambda setup: Window(),
        default=True,
        stands_in=True,
    )
    yield Provider("keep_all", "the whole history, while it fits", lambda setup: KeepAll())
