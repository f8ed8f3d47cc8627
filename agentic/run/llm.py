"""The model, for whoever asks it one thing."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentic.hooks.batching import Batcher, Lane
from agentic.types import ChatRequest, Message


class BatcherLlm:
    """The facade that plugins get: answers as text, through the batcher."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    async def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> str:
        return (await self.gather([messages], schema, max_tokens))[0]

    async def gather(
        self, prompts: Sequence[Sequence[Message]], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> list[str]:
        held_to = None
        if schema is not None:
            held_to = {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}
        requests = [
            ChatRequest(tuple(messages), max_tokens=max_tokens, temperature=0.0, response_format=held_to) for messages in prompts
        ]
        answers = await self._batcher.gather(requests, Lane.BACKGROUND)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [answer.content for answer in answers if isinstance(answer, Message)]
