"""Where the wire is swapped."""

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from agentic.hooks import Provider, hookspec
from agentic.types import ChatRequest, Delta, EndpointInfo


class Transport(Protocol):
    """Speaks to one endpoint at a time; the batcher says to which."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints in the order of preference."""
        ...

    async def probe(self, endpoint: str) -> EndpointInfo:
        """What the endpoint serves; cheap, and remembered. Raises EndpointUnavailable or RequestRejected."""
        ...

    def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        """The answer as it is made. Ends normally only after a terminal finish_reason.

        Raises EndpointUnavailable, Overloaded, StreamBroken, RequestRejected, ContextOverflow or ModelOutputError.
        Closing the iterator aborts the request on the server.
        """
        ...

    async def aclose(self) -> None:
        """Closes all connections."""
        ...


@hookspec
def agentic_transports() -> Iterable[Provider[Transport]]:
    """Offers transports, selected by `llm.transport`."""
    raise NotImplementedError
