"""The plain batcher: every request goes out at once, to the endpoint that served last, and to the next one when it fails."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from agentic import Answer, ChatRequest, Delta, EndpointInfo, EndpointUnavailable, Lane, Transport
from agentic.errors import cause_at
from agentic.events import Failover
from plugins_builtin.batching.common import Emit, Patience, first_answer, gathered


class Direct:
    def __init__(self, transport: Transport, emit: Emit, retry_seconds: float = 120.0) -> None:
        self._transport = transport
        self._emit = emit
        self._retry_seconds = retry_seconds
        self._preferred = ""

    async def submit(self, request: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Delta]:
        patience = Patience(request, self._retry_seconds, self._emit)
        previous, why = "", ""
        size = partial = 0
        while True:
            failures: dict[str, EndpointUnavailable] = {}
            for endpoint in sorted(self._endpoints(), key=lambda endpoint: endpoint != (request.endpoint or endpoint)):
                if previous and (partial or endpoint != previous):
                    await self._emit(Failover(from_=previous, to=endpoint, why=why, partial=partial))
                if partial:
                    yield Delta(restart=True)
                    partial = 0
                try:
                    elsewhere = request.role and request.endpoint not in ("", endpoint)
                    served = replace(request, model="") if elsewhere else request
                    async with aclosing(self._transport.stream(served, endpoint)) as stream:  # type: ignore[type-var]
                        async for delta in stream:
                            partial += len(delta.text) + len(delta.reasoning) + len(delta.tool_calls)
                            yield delta
                    self._preferred = endpoint
                    return
                except EndpointUnavailable as error:
                    failures[endpoint] = error
                    previous, why = endpoint, cause_at(endpoint, error)
                    size = max(size, partial)
            await patience.wait(size, failures)

    def _endpoints(self) -> list[str]:
        """Returns the endpoints as they are now, the one that served last before the others."""
        return sorted(self._transport.endpoints, key=lambda endpoint: endpoint != self._preferred)

    async def gather(self, requests: Sequence[ChatRequest], lane: Lane = Lane.SUB_AGENT) -> list[Answer | Exception]:
        return await gathered(self.submit, requests, lane)

    async def info(self) -> EndpointInfo:
        endpoint, info = await first_answer(self._transport, self._endpoints(), self._emit, lambda endpoint: None)
        self._preferred = endpoint
        return info
