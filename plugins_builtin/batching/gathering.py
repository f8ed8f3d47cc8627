"""Many answers at once, for every batcher."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from agentic import ChatRequest, Delta, Lane, Message
from agentic.wire import AnswerBuilder

Submit = Callable[[ChatRequest, Lane], AsyncIterator[Delta]]


async def gathered(submit: Submit, requests: Sequence[ChatRequest], lane: Lane) -> list[Message | Exception]:
    """All answers, in order; a failed one is its exception."""
    results = await asyncio.gather(*(_collect(submit(request, lane)) for request in requests), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
    return [result for result in results if isinstance(result, Message | Exception)]


async def _collect(stream: AsyncIterator[Delta]) -> Message:
    answer = AnswerBuilder()
    async for delta in stream:
        answer.add(delta)
    return answer.message()
