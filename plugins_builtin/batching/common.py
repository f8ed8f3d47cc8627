"""What every batcher does alike."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from agentic import Answer, ChatRequest, Delta, EndpointInfo, EndpointUnavailable, Lane, RequestRejected, Transport
from agentic.errors import none_answered
from agentic.events import Event, Failover
from agentic.wire import AnswerBuilder

_log = logging.getLogger("agentic.batching")
MAX_PAUSE_SECONDS = 30.0  # an overloaded server that asks for more is taken for one that does not answer

Emit = Callable[[Event], Awaitable[None]]
Submit = Callable[[ChatRequest, Lane], AsyncIterator[Delta]]


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
                await emit(Failover(from_=silent, to=endpoint, why=str(why)))
            return endpoint, info
        on_silence(endpoint)
    raise none_answered(failures)
