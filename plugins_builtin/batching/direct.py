"""The plain batcher: every request goes out at once, to the endpoint that served last, and to the next one when it fails."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from agentic import Answer, ChatRequest, Delta, EndpointInfo, EndpointUnavailable, Lane, Overloaded, Transport
from agentic.errors import none_answered
from agentic.events import Failover
from plugins_builtin.batching.common import MAX_PAUSE_SECONDS, Emit, first_answer, gathered

ROUNDS = 4  # over all endpoints, while one of them is merely overloaded


class Direct:
    def __init__(self, transport: Transport, emit: Emit) -> None:
        self._transport = transport
        self._emit = emit
        self._order = list(transport.endpoints)

    async def submit(self, request: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Delta]:
        failures: dict[str, EndpointUnavailable] = {}
        previous = ""
        partial = 0
        for attempt in range(ROUNDS):
            for endpoint in list(self._order):
                if previous:
                    await self._tell(previous, endpoint, failures[previous], partial)
                    if partial:
                        yield Delta(restart=True)
                        partial = 0
                try:
                    async with aclosing(self._transport.stream(request, endpoint)) as stream:  # type: ignore[type-var]
                        async for delta in stream:
                            partial += len(delta.text) + len(delta.reasoning) + len(delta.tool_calls)
                            yield delta
                    self._prefer(endpoint)
                    return
                except EndpointUnavailable as error:
                    failures[endpoint] = error
                    previous = endpoint
            if not await self._pause(attempt, failures):
                break
        raise none_answered(failures)

    async def _tell(self, previous: str, endpoint: str, error: EndpointUnavailable, partial: int) -> None:
        await self._emit(Failover(from_=previous, to=endpoint, why=str(error), partial=partial))

    def _prefer(self, endpoint: str) -> None:
        self._order.sort(key=lambda other: other != endpoint)

    async def _pause(self, attempt: int, failures: dict[str, EndpointUnavailable]) -> bool:
        """Waits before another round (full jitter); False where another round would not help."""
        busy = [error for error in failures.values() if isinstance(error, Overloaded)]
        asked = min((error.retry_after for error in busy), default=0.0)
        if not busy or attempt == ROUNDS - 1 or asked > MAX_PAUSE_SECONDS:
            return False
        await asyncio.sleep(max(asked, random.uniform(0, 0.5 * 2**attempt)))
        return True

    async def gather(self, requests: Sequence[ChatRequest], lane: Lane = Lane.SUB_AGENT) -> list[Answer | Exception]:
        return await gathered(self.submit, requests, lane)

    async def info(self) -> EndpointInfo:
        endpoint, info = await first_answer(self._transport, list(self._order), self._emit, lambda endpoint: None)
        self._prefer(endpoint)
        return info
