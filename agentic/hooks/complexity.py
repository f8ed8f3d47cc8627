"""Is this one agent's work?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from agentic.hooks import Provider, hookspec
from agentic.types import Complexity, Message


class Llm(Protocol):
    """The model, for plugins that ask it something: a small facade over the batcher."""

    async def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> str:
        """An answer's text; with `schema`, JSON text that the server was asked to hold to it."""
        ...

    async def gather(
        self, prompts: Sequence[Sequence[Message]], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> list[str]:
        """Many answers in one go, in order."""
        ...


class ComplexityEstimator(Protocol):
    async def estimate(self, task: str, llm: Llm) -> Complexity:
        """How large the task is and whether its parts are separable."""
        ...


@hookspec
def agentic_complexity_estimators() -> Iterable[Provider[ComplexityEstimator]]:
    """Offers estimators, selected by `complexity.estimator`."""
    raise NotImplementedError
