"""The behaviour that all batchers share."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

from agentic import Answer, ChatRequest, Delta, EndpointInfo, EndpointUnavailable, Lane, Overloaded, RequestRejected, Transport
from agentic.errors import cause_at, none_answered
from agentic.events import Event, Failover, Retrying
from agentic.lib.wire import AnswerBuilder

_log = logging.getLogger("agentic.batching")
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.25, 5.0
ASIDE_SECONDS = 5.0  # for what a run can do without: finding out what a model can do, a warm cache
_ASIDE = {"probe", "warm-up", "count"}

Emit = Callable[[Event], Awaitable[None]]
Submit = Callable[[ChatRequest, Lane], AsyncIterator[Delta]]


class Patience:
    """How long one request is tried again: so many `seconds` from when it last got further. Pauses grow, with jitter."""

    def __init__(self, request: ChatRequest, seconds: float, emit: Emit) -> None:
        self._seconds = min(seconds, ASIDE_SECONDS) if request.purpose in _ASIDE else seconds
        self._emit = emit
        self._began = self._since = 0.0
        self._size = self._attempt = self._times = 0

    async def wait(self, size: int, failures: Mapping[str, EndpointUnavailable]) -> None:
        """Until the next try; `size` is how much of the answer has come. Raises EndpointUnavailable when the time is over."""
        now = time.monotonic()
        self._began = self._began or now
        if size > self._size or not self._since:
            self._since, self._size, self._attempt = now, size, 0
        self._attempt += 1
        self._times += 1
        grown = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._attempt - 1, 10))
        asked = min((error.retry_after if isinstance(error, Overloaded) else 0.0 for error in failures.values()), default=0.0)
        pause = max(asked, grown * random.uniform(0.5, 1))
        if now + pause > self._since + self._seconds:
            raise none_answered(failures, self._what(size, now))
        endpoint, why = list(failures.items())[-1]
        await self._emit(Retrying(endpoint=endpoint, why=cause_at(endpoint, why), seconds=round(pause, 2), attempt=self._attempt))
        await asyncio.sleep(pause)

    def _what(self, size: int, now: float) -> str:
        if self._times == 1 and not size:
            return "no endpoint answered"
        tries = f"{self._times} times" + (f" in {now - self._began:.0f} s" if self._times > 1 else "")
        return f"the answer broke off {tries}" if size else f"no endpoint answered: tried {tries}"


async def gathered(submit: Submit, requests: Sequence[ChatRequest], lane: Lane) -> list[Answer | Exception]:
    """All answers, in order; a failed one is its exception."""
    results = await asyncio.gather(*(_collect(submit(request, lane)) for request in requests), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
    return [result for result in results if isinstance(result, Answer | Exception)]


async def _collect(stream: AsyncIterator[Delta]) -> Answer:
    answer = AnswerBuilder()
    async for delta in stream:
        answer.add(delta)
    return answer.answer()


async def first_answer(
    transport: Transport, endpoints: Iterable[str], emit: Emit, on_silence: Callable[[str], None]
) -> tuple[str, EndpointInfo]:
    """The first endpoint that answers, and what it serves; those before it are told.

    Raises EndpointUnavailable where none does, RequestRejected where there is only one and it refuses.
    """
    failures: dict[str, EndpointUnavailable] = {}
    for endpoint in endpoints:
        try:
            info = await transport.probe(endpoint)
        except EndpointUnavailable as error:
            _log.warning("%s does not answer: %s", endpoint, error)
            failures[endpoint] = error
        except RequestRejected as error:  # another endpoint may serve the model, or take the key
            if len(transport.endpoints) == 1:
                raise
            failures[endpoint] = EndpointUnavailable(str(error), error.remedy)
        else:
            for silent, why in failures.items():
                await emit(Failover(from_=silent, to=endpoint, why=cause_at(silent, why)))
            return endpoint, info
        on_silence(endpoint)
    raise none_answered(failures)
