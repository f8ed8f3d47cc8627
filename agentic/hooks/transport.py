"""The hook for transports, by which the wire is swapped."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from agentic.config import Settings
from agentic.config.schema import LlmSettings
from agentic.hooks import Provider, hookspec
from agentic.hooks.choosing import ChoiceSetup, Chooser
from agentic.lib.record import record
from agentic.types import Answer, ChatRequest, Delta, EndpointInfo, EndpointLoad, PartialAnswer, TokenCount


@record(frozen=True, slots=True)
class Found:
    """A server that runs on this machine: what it is, where, a model that it serves, its window in tokens (0: not known)."""

    server: str
    url: str
    model: str
    window: int = 0


class Transport(Protocol):
    """Speaks to one endpoint at a time; the batcher says to which."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints in the order of preference."""
        ...

    async def probe(self, endpoint: str) -> EndpointInfo:
        """Returns what the endpoint serves; cheap, and remembered. Raises EndpointUnavailable or RequestRejected."""
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


@runtime_checkable
class FollowsEndpoints(Protocol):
    """A transport, or a batcher, whose endpoints may come and go while a run lasts. Others keep those that they began with."""

    def follow(self, settings: LlmSettings) -> None:
        """From now on the endpoints are those of `settings`. What is in flight ends where it is."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A transport that can tell a prompt's exact length. One that cannot has no such method: lengths are estimated then."""

    async def count_tokens(self, request: ChatRequest, endpoint: str) -> TokenCount:
        """Messages, tools and the start of the answer, as the server would count them. Raises AgenticError where it cannot."""
        ...


@runtime_checkable
class Resumes(Protocol):
    """A transport that can go on with an answer that broke off elsewhere, token by token as if nothing had happened."""

    async def resume(self, request: ChatRequest, received: PartialAnswer, endpoint: str) -> AsyncIterator[Delta] | None:
        """Streams what follows the shown part of `received`, otherwise like `stream`. None where it cannot be done exactly."""
        ...


@runtime_checkable
class ReportsLoad(Protocol):
    """A transport that can ask an endpoint how busy it is."""

    async def load(self, endpoint: str) -> EndpointLoad:
        """Raises AgenticError where the endpoint does not tell."""
        ...


@runtime_checkable
class CachesPrefixes(Protocol):
    """A transport that can tell whether having a prompt's beginning computed before it is needed saves anything."""

    @property
    def caches_prefixes(self) -> bool: ...


@runtime_checkable
class SendsBatches(Protocol):
    """A transport that can put several plain requests into one."""

    async def batch(self, requests: Sequence[ChatRequest], endpoint: str) -> list[Answer]:
        """The answers in order, when all are there. For requests without tools that differ in nothing but their messages.

        Raises AgenticError, RequestRejected where the endpoint has no such route: they are sent one by one then.
        """
        ...


@record(frozen=True, slots=True)
class TransportProvider(Provider[Transport]):
    """A provider of a transport that does more than speak.

    `flag` is an option of the command line that selects it, whose value goes to the plugin's own key `flag_key`. `find(settings)`
    gives the servers that run on this machine, `cost(settings)` what it does before it works for the first time, "" for nothing.
    """

    flag: str = ""
    flag_key: str = ""
    find: "Callable[[Settings], Awaitable[Sequence[Found]]] | None" = None
    cost: "Callable[[Settings], str] | None" = None


@record(frozen=True, slots=True, kw_only=True)
class TransportChoice(ChoiceSetup):
    """`confirm` puts a yes-or-no question to the user; nobody who can be asked means no."""

    confirm: Callable[[str], Awaitable[bool]]


@hookspec
def agentic_transports() -> Iterable[Provider[Transport] | Chooser]:
    """Offers transports, selected by `llm.transport`: a plain Provider or a TransportProvider, or a Chooser among them.

    A chooser gets a `TransportChoice`.
    """
    raise NotImplementedError
