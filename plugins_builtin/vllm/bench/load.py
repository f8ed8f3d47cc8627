"""So many requests in flight, for so long: what came of them by our clock, and what the server says of itself."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import field
from statistics import median, quantiles

from agentic import AgenticError, Usage
from agentic.lib.record import record
from plugins_builtin.vllm.bench.shapes import Client
from plugins_builtin.vllm.transport import VllmTransport

LOOK_SECONDS = 0.25  # between two looks at /metrics


@record(frozen=True, slots=True)
class Step:
    """A level of a sweep. `concurrency` is of all `endpoints` together; times are in seconds; `cached` is a share of prompts.

    `waiting` and `kv` are the most that was seen in /metrics, None where a server does not tell.
    """

    endpoints: tuple[str, ...]
    shape: str
    concurrency: int
    requests: int
    failed: int
    why: str
    seconds: float
    tokens_per_second: float
    ttft_p50: float
    ttft_p95: float
    token_p50: float
    prompt_tokens: float
    cached: float | None
    waiting: int | None
    kv: float | None
    preemptions: int


@record(slots=True)
class Seen:
    """The results of the requests so far."""

    first: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    done: int = 0
    failed: int = 0
    why: str = ""


class Watch:
    """Looks at /metrics while something goes on: the most that waited, the fullest cache, preemptions. `told` once it answered."""

    def __init__(self, transport: VllmTransport, endpoints: Sequence[str]) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._preemptions: dict[str, tuple[int, int]] = {}
        self.told = False
        self.waiting = 0
        self.kv = 0.0

    @property
    def preemptions(self) -> int:
        return sum(last - first for first, last in self._preemptions.values())

    async def look(self) -> None:
        for endpoint in self._endpoints:
            with suppress(AgenticError):
                load = await self._transport.load(endpoint)
                self.told = True
                self.waiting, self.kv = max(self.waiting, load.waiting), max(self.kv, load.kv_usage)
                first, _ = self._preemptions.get(endpoint, (load.preemptions, 0))
                self._preemptions[endpoint] = first, load.preemptions

    async def go_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)


async def step(transport: VllmTransport, endpoints: Sequence[str], shape: str, clients: Sequence[Client], requests: int) -> Step:
    """Each client asks, one question after the other, until all `requests` are answered; it keeps to one endpoint."""
    seen, numbers = Seen(), iter(range(requests))
    watch = Watch(transport, endpoints)
    await watch.look()
    watching = asyncio.ensure_future(watch.go_on())
    homes = itertools.cycle(endpoints)
    started = time.perf_counter()
    try:
        await asyncio.gather(*(_ask_on(transport, next(homes), client, numbers, seen) for client in clients))
    finally:
        watching.cancel()
    seconds = time.perf_counter() - started
    await watch.look()
    usage = seen.usage
    return Step(
        endpoints=tuple(endpoints),
        shape=shape,
        concurrency=len(clients),
        requests=seen.done,
        failed=seen.failed,
        why=seen.why,
        seconds=seconds,
        tokens_per_second=usage.completion_tokens / seconds,
        ttft_p50=median(seen.first or [0.0]),
        ttft_p95=_p95(seen.first),
        token_p50=median(seen.between or [0.0]),
        prompt_tokens=usage.prompt_tokens / max(1, seen.done),
        cached=None if usage.cached_tokens is None else usage.cached_tokens / max(1, usage.prompt_tokens),
        waiting=watch.waiting if watch.told else None,
        kv=watch.kv if watch.told else None,
        preemptions=watch.preemptions,
    )


async def _ask_on(transport: VllmTransport, endpoint: str, client: Client, numbers: Iterator[int], seen: Seen) -> None:
    for _ in numbers:
        request, words = client.ask(), list[str]()
        started = time.perf_counter()
        first = last = 0.0
        usage = Usage()
        try:
            async for delta in transport.stream(request, endpoint):
                if delta.text or delta.reasoning:
                    last = time.perf_counter()
                    first = first or last
                    words.append(delta.text)
                usage = delta.usage or usage
        except AgenticError as error:
            seen.failed, seen.why = seen.failed + 1, str(error)
            continue
        finally:
            client.hear("".join(words))
        seen.done += 1
        seen.usage += usage
        if first:
            seen.first.append(first - started)
        if usage.completion_tokens > 1:
            seen.between.append((last - first) / (usage.completion_tokens - 1))


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else max(values, default=0.0)
