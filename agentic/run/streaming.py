"""An answer on its way: every piece folded into the message in the making and shown at once."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import cast

from agentic.errors import ModelOutputError
from agentic.events import Event, LlmChunk, ReasoningChunk
from agentic.run.recovery.repetition import Repetition
from agentic.types import Delta
from agentic.wire import AnswerBuilder

KEEP_SECONDS = 1.0


async def follow(
    stream: AsyncIterator[Delta],
    answer: AnswerBuilder,
    emit: Callable[[Event], Awaitable[None]],
    keep: Callable[[str], None] = lambda text: None,
) -> None:
    """Follows `stream` to its end, folding it into `answer`. Closes the stream, and so the request, on every way out.

    `keep` gets the text so far, at most once a second. Raises ModelOutputError for an answer that only repeats itself.
    """
    kept_at = time.monotonic()
    repetition = Repetition()
    async with aclosing(cast(AsyncGenerator[Delta, None], stream)):
        async for delta in stream:
            answer.add(delta)
            if delta.text:
                await emit(LlmChunk(text=delta.text))
                if time.monotonic() - kept_at > KEEP_SECONDS:
                    kept_at = time.monotonic()
                    keep(answer.message().content)
            if delta.reasoning:
                await emit(ReasoningChunk(text=delta.reasoning))
            if repetition.goes_on(delta.text or delta.reasoning):
                raise ModelOutputError("the model only repeats itself")
