"""Which request goes where, and when."""

from collections.abc import AsyncIterator, Iterable, Sequence
from enum import Enum
from typing import Protocol

from agentic.hooks import Provider, hookspec
from agentic.types import ChatRequest, Delta, EndpointInfo, Message


class Lane(Enum):
    """How urgent a request is."""

    INTERACTIVE = "interactive"
    SUB_AGENT = "sub-agent"
    BACKGROUND = "background"


class Batcher(Protocol):
    """Decides where and when; moves a request to another endpoint when one fails."""

    def submit(self, request: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Delta]:
        """The answer as it is made, from whichever endpoint serves it. Raises what the last endpoint raised."""
        ...

    async def gather(self, requests: Sequence[ChatRequest], lane: Lane = Lane.SUB_AGENT) -> list[Message | Exception]:
        """All answers, in order; a failed one is its exception, and never cancels the others."""
        ...

    async def info(self) -> EndpointInfo:
        """What the endpoint in use serves. Raises EndpointUnavailable when none answers."""
        ...


@hookspec
def agentic_batchers() -> Iterable[Provider[Batcher]]:
    """Offers batchers, selected by `batching.strategy`. Their `Setup.transport` is the selected transport."""
    raise NotImplementedError
