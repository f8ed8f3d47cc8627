"""A server asked with canaries, to see what it really does with each field."""

import time
from dataclasses import field
from typing import Any

from agentic import AgenticError, Delta, EndpointInfo, EndpointLoad, Usage
from agentic.lib.record import record
from agentic.lib.wire import ChunkDecoder
from plugins_builtin.vllm.capabilities import Capabilities
from plugins_builtin.vllm.transport import VllmTransport

CANARY_SECONDS = 120.0


@record(frozen=True, slots=True)
class Diagnosis:
    """`ok` None: of no consequence, or not to be found out. `remedy` is the line that mends it."""

    name: str
    ok: bool | None
    text: str
    remedy: str = ""


@record(slots=True)
class Reply:
    """A streamed answer with what only a doctor wants to know."""

    text: str = ""
    reasoning: str = ""
    calls: str = ""
    usage: Usage = field(default_factory=Usage)
    metrics: bool = False
    details: bool = False
    times: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    prompt_ids: tuple[int, ...] = ()
    seconds: float = 0.0


class Canary:
    """Asks one endpoint. `info` is what it serves, `can` what was found out so far."""

    def __init__(self, transport: VllmTransport, endpoint: str) -> None:
        self.transport = transport
        self.endpoint = endpoint
        self.info = EndpointInfo(endpoint, "")
        self.can = Capabilities()

    async def load(self) -> EndpointLoad | None:
        try:
            return await self.transport.load(self.endpoint)
        except AgenticError:
            return None

    async def ask(self, text: str, **fields: Any) -> Reply:
        """A streamed answer to a raw request: what the server does with each field is the question."""
        body = {
            "model": self.info.model,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            **fields,
        }
        reply = Reply()
        started = time.monotonic()
        decoder = _Watched(reply)
        async for delta in self.transport.deltas(
            self.endpoint, "/chat/completions", body, patience=CANARY_SECONDS, decoder=decoder
        ):
            _note(reply, delta)
        reply.seconds = time.monotonic() - started
        return reply


class _Watched(ChunkDecoder):
    """Notes what deltas do not carry."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self._reply = reply

    def feed(self, chunk: object) -> Delta | None:
        if isinstance(chunk, dict):
            usage = chunk.get("usage") or {}
            self._reply.metrics |= bool(chunk.get("metrics") or usage.get("metrics"))
            self._reply.details |= bool(usage.get("prompt_tokens_details"))
        return super().feed(chunk)


def _note(reply: Reply, delta: Delta) -> None:
    reply.text += delta.text
    reply.reasoning += delta.reasoning
    reply.calls += "".join(f'"{piece.name}"' * bool(piece.name) + piece.arguments for piece in delta.tool_calls)
    reply.usage = delta.usage or reply.usage
    reply.prompt_ids = delta.prompt_ids or reply.prompt_ids
    if delta.text or delta.reasoning or delta.token_ids:
        reply.times.append(time.monotonic())
        reply.sizes.append(len(delta.token_ids))
