"""The model, for whoever asks it one thing."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentic.errors import ContextOverflow
from agentic.hooks.batching import Batcher, Lane
from agentic.run.budget import Budget
from agentic.run.tokens import TokenCounter
from agentic.types import ChatRequest, Message


class BatcherLlm:
    """The facade that plugins get: answers as text, through the batcher. What does not fit the window is never sent."""

    def __init__(self, batcher: Batcher, budget: Budget, counter: TokenCounter) -> None:
        self._batcher = batcher
        self._budget = budget
        self._counter = counter

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
        info = await self._batcher.info()
        for request in requests:
            if (tokens := await self._counter.count(request, info.url)) > self._budget.prompt:
                raise ContextOverflow(f"the question has {tokens} tokens, {self._budget.prompt} fit", "ask for less at once")
        answers = await self._batcher.gather(requests, Lane.BACKGROUND)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [answer.content for answer in answers if isinstance(answer, Message)]
