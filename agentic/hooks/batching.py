"""Which request goes where, and when."""

from collections.abc import AsyncIterator, Iterable, Sequence
from enum import Enum
from typing import Protocol, runtime_checkable

from agentic.events import EndpointSeen
from agentic.hooks import Provider, Setup, hookspec
from agentic.hooks.transport import FollowsEndpoints as FollowsEndpoints, Transport
from agentic.lib.record import record
from agentic.types import Answer, ChatRequest, Delta, EndpointInfo


@record(frozen=True, slots=True, kw_only=True)
class BatcherSetup(Setup):
    """`transport` is the selected one."""

    transport: Transport


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

    async def gather(self, requests: Sequence[ChatRequest], lane: Lane = Lane.SUB_AGENT) -> list[Answer | Exception]:
        """All answers, in order; a failed one is its exception, and never cancels the others."""
        ...

    async def info(self) -> EndpointInfo:
        """Returns what the endpoint in use serves. Raises EndpointUnavailable when none answers."""
        ...


@runtime_checkable
class Routes(Protocol):
    """A batcher that can say where a request will go."""

    def home(self, request: ChatRequest) -> str:
        """The endpoint that it would go to now, if that has a place."""
        ...


@runtime_checkable
class Watches(Protocol):
    """A batcher that can say how busy its endpoints are."""

    async def look(self) -> list[EndpointSeen]:
        """Every endpoint that answers, as it is now."""
        ...


@runtime_checkable
class Warms(Protocol):
    """A batcher that can have a prompt's prefix computed before it is needed."""

    async def warm(self, request: ChatRequest) -> None:
        """On every endpoint that does not hold it yet. Failures cost nothing and are not told."""
        ...


@runtime_checkable
class Closes(Protocol):
    """A batcher that does something in the background."""

    async def aclose(self) -> None:
        """Ends it, before the transport is closed."""
        ...


@hookspec
def agentic_batchers() -> Iterable[Provider[Batcher]]:
    """Offers batchers, selected by `batching.strategy`. Their factories get a `BatcherSetup`."""
    raise NotImplementedError
