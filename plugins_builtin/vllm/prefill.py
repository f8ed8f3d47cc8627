"""The time before an answer's first token: as long as the server computes, it is no silence."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from agentic import AgenticError, ChatRequest, Delta, EndpointLoad
from plugins_builtin.vllm.connection import Connection

LOOK_SECONDS = 5.0  # between two looks at the server's metrics
LOOKS = 4.0  # at least, while one is patient
BYTES_A_TOKEN = 4
PATIENCE = 3.0  # times what the measured rate lets expect


class FirstChunk:
    """Waits for the first bytes of an answer's stream, which are `chunk` then; iterating tells how far the prompt is.

    vLLM says nothing in its stream while it computes a prompt, but its metrics move: the KV cache fills, other answers go on. Each
    time they have moved, `patience` seconds begin anew, up to `end` of the loop's clock.
    """

    def __init__(self, connection: Connection, load: Callable[[], Awaitable[EndpointLoad]], patience: float, end: float) -> None:
        self._connection = connection
        self._load = load
        self._patience = patience
        self._end = end
        self._seen: EndpointLoad | None = None
        self._looks = True
        self.chunk = b""

    async def __aiter__(self) -> AsyncIterator[Delta]:
        reading = asyncio.ensure_future(self._connection.read())
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())  # which nobody may wait for any more
        try:
            while self._looks and not (await asyncio.wait({reading}, timeout=min(LOOK_SECONDS, self._patience / LOOKS)))[0]:
                if (delta := await self._look()) is not None:
                    yield delta
            self.chunk = await reading
        finally:
            reading.cancel()

    async def _look(self) -> Delta | None:
        try:
            load = await self._load()
        except AgenticError:  # a server without vLLM's metrics
            self._looks = False
            return None
        before, self._seen = self._seen, load
        if before is None or _done(load) == _done(before):
            return None
        self._connection.expect("the first token", min(self._end, asyncio.get_running_loop().time() + self._patience))
        alone = load.running == 1 and load.blocks * load.block * load.kv_usage
        return Delta(prefilled=(round(alone), 0)) if alone else None


def _done(load: EndpointLoad) -> tuple[float, ...]:
    """Returns the metrics that move only while the server computes, so not the number of requests in its queue."""
    return load.kv_usage, load.prompt_tokens, load.generated_tokens, load.first_tokens


class PrefillRates:
    """How fast each endpoint computes prompts, and so how long to wait for a first token: never less than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rates: dict[str, float] = {}

    def patience(self, request: ChatRequest, endpoint: str) -> float:
        """Seconds until the first token: more than the setting where prefilling so long a prompt takes longer."""
        size = sum(len(message.text) for message in request.messages) / BYTES_A_TOKEN
        expected = size / self._rates[endpoint] if self._rates.get(endpoint) else 0.0
        return max(self._seconds, PATIENCE * expected)

    def learn(self, endpoint: str, tokens: int, seconds: float) -> None:
        """Tokens a second; the slowest that was seen, as a rate from a busy server is the one to be patient with."""
        if tokens > 0 and seconds > 0:
            self._rates[endpoint] = min(self._rates.get(endpoint, tokens / seconds), tokens / seconds)
