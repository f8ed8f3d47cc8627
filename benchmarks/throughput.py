"""The admission batcher on real vLLM servers, with the peer or the limit beside each number.

python benchmarks/throughput.py speed URL --vllm 'COMMAND for vllm'    streams at once against `vllm bench serve`
python benchmarks/throughput.py affinity URL URL                       hit rate and TTFT, two endpoints against one and round robin
python benchmarks/throughput.py queue URL                              a server started with --max-num-queued-reqs 8
python benchmarks/throughput.py urgent URL                             interactive TTFT beside 16 background requests
python benchmarks/throughput.py pauses URL                             100 turns with pauses of 4.5 to 6 s (nine minutes)
python benchmarks/throughput.py delay                                  what the batcher adds; needs no server
"""

import argparse
import asyncio
import json
import random
import secrets
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agentic.events import Event
from agentic.hooks.batching import Batcher, Lane
from agentic.lib.wire import AnswerBuilder
from agentic.testing import FakeVLLM, answer, settings_with
from agentic.types import ChatRequest, Delta, EndpointInfo, Message, Usage
from plugins_builtin.batching.admission import Admission
from plugins_builtin.batching.direct import Direct
from plugins_builtin.vllm.options import VllmOptions
from plugins_builtin.vllm.transport import VllmTransport

TOKENS = 64
WORDS = ["sea", "lamp", "stone", "rope", "wind", "salt", "gull", "keeper", "stair", "glass", "storm", "harbour"]


@asynccontextmanager
async def client(urls: Sequence[str], kind: type = Admission, places: int = 4) -> AsyncIterator[tuple[Batcher, VllmTransport]]:
    async def emit(event: Event) -> None:
        pass

    transport = VllmTransport(settings_with({"llm.endpoints": list(urls)}).llm, VllmOptions())
    batcher = Admission(transport, emit, places, 0.1) if kind is Admission else kind(transport, emit)
    try:
        await batcher.info()
        yield batcher, transport
    finally:
        await transport.aclose()


def request(words: int = 60, tokens: int = TOKENS, session: str = "", start: str = "") -> ChatRequest:
    text = f"{start}{secrets.token_hex(4)} " + " ".join(random.choices(WORDS, k=words))
    return ChatRequest((Message("user", text),), max_tokens=tokens, temperature=0.0, session=session, extra={"ignore_eos": True})


async def answered(batcher: Batcher, each: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> tuple[AnswerBuilder, float]:
    """(the answer, seconds to its first piece)."""
    built, started, first = AnswerBuilder(), time.perf_counter(), 0.0
    async for delta in batcher.submit(each, lane):
        first = first or time.perf_counter() - started
        built.add(delta)
    return built, first


def tokens_of(answers: Sequence[tuple[AnswerBuilder, float]]) -> int:
    return sum((built.usage or Usage()).completion_tokens for built, _ in answers)


async def ours(url: str, concurrency: int, rounds: int) -> float:
    """Tokens a second with so many requests in flight, one after the other in each of so many loops."""
    async with client([url]) as (batcher, _):
        await answered(batcher, request())

        async def loop() -> list[tuple[AnswerBuilder, float]]:
            return [await answered(batcher, request()) for _ in range(rounds)]

        started = time.perf_counter()
        answers = [each for done in await asyncio.gather(*(loop() for _ in range(concurrency))) for each in done]
        return tokens_of(answers) / (time.perf_counter() - started)


def theirs(url: str, vllm: str, concurrency: int, rounds: int) -> float:
    """Output tokens a second of `vllm bench serve` at that concurrency."""
    base = url.removesuffix("/v1")
    with tempfile.TemporaryDirectory() as folder:
        words = f"""bench serve --backend openai-chat --base-url {base} --endpoint /v1/chat/completions --temperature 0
            --dataset-name random --random-input-len 70 --random-output-len {TOKENS} --ignore-eos
            --num-prompts {concurrency * rounds} --max-concurrency {concurrency} --save-result --result-dir {folder}
            --result-filename result.json --seed {random.randrange(10**6)}"""  # its own seed would find its prompts in the cache
        command = [*shlex.split(vllm), *words.split()]
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            result = json.loads((Path(folder) / "result.json").read_text())
        except FileNotFoundError:
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:]) from None
        return float(result["output_throughput"])


async def speed(options: argparse.Namespace) -> None:
    url = options.urls[0]
    measured: dict[int, tuple[float, float]] = {}
    for concurrency, rounds in ((1, 6), (4, 5), (8, 4)):
        pairs = [
            (await ours(url, concurrency, rounds), theirs(url, options.vllm, concurrency, rounds)) for _ in range(options.repeat)
        ]
        measured[concurrency] = statistics.median(mine for mine, _ in pairs), statistics.median(peer for _, peer in pairs)
        mine, peer = measured[concurrency]
        reach = 0.98 if concurrency == 1 else 0.95
        one = (
            f", {mine / measured[1][0]:.2f} times our one by one (reach {'2' if concurrency == 4 else '3'})"
            if concurrency > 1
            else ""
        )
        print(
            f"{concurrency} at once: {mine:.1f} tokens/s, vllm bench serve {peer:.1f}: {mine / peer:.3f} (reach {reach}){one}",
            flush=True,
        )


class RoundRobin(Direct):
    """The peer: each request to the next endpoint."""

    async def submit(self, request: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Delta]:
        endpoints = self._transport.endpoints
        self._preferred = endpoints[(endpoints.index(self._preferred) + 1) % len(endpoints)] if self._preferred else endpoints[0]
        async for delta in super().submit(request, lane):
            yield delta


async def conversations(urls: Sequence[str], kind: type, count: int = 8, turns: int = 10) -> tuple[float, float]:
    """(hit rate by the servers' counters, mean seconds to the first token)."""
    system = f"{secrets.token_hex(8)} You are a helpful keeper of lighthouses. " + " ".join(random.choices(WORDS, k=200))
    waits: list[float] = []
    async with client(urls, kind) as (batcher, transport):
        before = [await transport.load(url) for url in urls]

        async def one(number: int) -> None:
            history = [Message("system", system)]
            for turn in range(turns):
                history.append(Message("user", f"{number} {turn} " + " ".join(random.choices(WORDS, k=60))))
                asked = ChatRequest(tuple(history), max_tokens=24, temperature=0.0, session=f"{system[:16]}-{number}")
                built, first = await answered(batcher, asked)
                waits.append(first)
                history.append(built.message())
                await asyncio.sleep(random.uniform(0.1, 0.6))

        await asyncio.gather(*(one(number) for number in range(count)))
        after = [await transport.load(url) for url in urls]
    asked = sum(now.prompt_tokens - then.prompt_tokens for now, then in zip(after, before, strict=True))
    hits = sum(now.cached_tokens - then.cached_tokens for now, then in zip(after, before, strict=True))
    return hits / asked, statistics.mean(waits)


async def affinity(options: argparse.Namespace) -> None:
    pair = options.urls
    alone = await conversations(pair[:1], Admission)
    both = await conversations(pair, Admission)
    robin = await conversations(pair, RoundRobin)
    print(f"8 conversations of 10 turns: hit rate {both[0]:.3f} on two endpoints, {alone[0]:.3f} on one:", end=" ")
    print(f"{both[0] / alone[0]:.3f} (reach 0.97)")
    print(f"  mean TTFT {both[1]:.3f} s, round robin {robin[1]:.3f} s (hits {robin[0]:.3f}): {both[1] / robin[1]:.2f} (reach 0.7)")


async def queue(options: argparse.Namespace) -> None:
    """The ideal: eight loops that never have to wait."""
    url, each = options.urls[0], 4
    async with client([url], Direct) as (batcher, _):
        await answered(batcher, request())

        async def loop() -> None:
            for _ in range(each):
                await answered(batcher, request())

        started = time.perf_counter()
        await asyncio.gather(*(loop() for _ in range(8)))
        ideal = time.perf_counter() - started
    async with client([url], places=options.places) as (admission, _):
        started = time.perf_counter()
        results = await admission.gather([request() for _ in range(8 * each)])
        seconds = time.perf_counter() - started
    failed = [result for result in results if isinstance(result, Exception)]
    print(f"32 requests, queue limit 8: {len(failed)} failures (reach 0),", end=" ")
    print(f"{seconds:.1f} s, ideal {ideal:.1f}: {seconds / ideal:.3f} (reach 1.05)")


async def urgent(options: argparse.Namespace) -> None:
    async with client(options.urls[:1], places=16) as (batcher, transport):
        transport._can = {url: type(can)(**{**_fields(can), "priority": True}) for url, can in transport._can.items()}
        idle = [(await answered(batcher, request(tokens=4)))[1] for _ in range(8)]
        background = [asyncio.ensure_future(answered(batcher, request(tokens=200), Lane.BACKGROUND)) for _ in range(16)]
        await asyncio.sleep(3)
        busy = [(await answered(batcher, request(tokens=4)))[1] for _ in range(8)]
        still = sum(not task.done() for task in background)
        await asyncio.gather(*background)
    mine, alone = statistics.median(busy), statistics.median(idle)
    print(f"interactive TTFT {mine:.3f} s beside {still} background requests, {alone:.3f} s idle: {mine / alone:.2f} (reach 1.5)")


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).__slots__}


async def pauses(options: argparse.Namespace) -> None:
    failures = 0
    async with client(options.urls) as (batcher, _):
        for number in range(options.turns):
            try:
                await answered(batcher, request(tokens=4, session="pauses"))
            except Exception as error:
                failures += 1
                print(f"  turn {number}: {error}", flush=True)
            await asyncio.sleep(random.uniform(4.5, 6.0))
    print(f"{options.turns} turns with pauses of 4.5 to 6 s: {failures} failures (reach 0)")


class Departures:
    """A transport that notes when requests leave, and answers nothing."""

    endpoints = ("http://a/v1", "http://b/v1")

    def __init__(self) -> None:
        self.left: list[float] = []

    async def probe(self, endpoint: str) -> EndpointInfo:
        return EndpointInfo(endpoint, "m", 8192)

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        self.left.append(time.perf_counter())
        await asyncio.sleep(0.001)
        yield Delta("ok", finish_reason="stop")

    async def aclose(self) -> None:
        pass


async def delay(options: argparse.Namespace) -> None:
    async def emit(event: Event) -> None:
        pass

    transport = Departures()
    batcher = Admission(transport, emit, 4, 0.1)
    await batcher.info()
    alone = []
    for number in range(1000):
        started = time.perf_counter()
        await answered(batcher, request(session=f"s{number % 20}"))
        alone.append(1000 * (transport.left[-1] - started))
    spreads = []
    for _ in range(200):
        transport.left.clear()
        await batcher.gather([request() for _ in range(4)])
        spreads.append(1000 * (max(transport.left) - min(transport.left)))
    print(f"the batcher adds, alone: p99 {statistics.quantiles(alone, n=100)[98]:.3f} ms (reach 1)")
    print(f"4 submitted together leave within {statistics.quantiles(spreads, n=100)[98]:.3f} ms, p99 (reach 2)")
    print(f"the home endpoint dead: at the other within {await elsewhere():.1f} ms, the longest of 20 (reach 50)")


async def elsewhere() -> float:
    """Milliseconds from the question to its arrival at the other endpoint, where the one with the cache has died."""
    worst = 0.0
    for _ in range(20):
        with FakeVLLM() as one, FakeVLLM() as other:
            async with client([one.url, other.url]) as (batcher, _):
                asked = request(session="s")
                await answered(batcher, asked)
                home, stays = (one, other) if one.chats else (other, one)
                arrived: list[float] = []
                stays.otherwise = lambda _, arrived=arrived: (arrived.append(time.perf_counter()), answer("ok"))[1]  # type: ignore[misc]
                home.close()
                started = time.perf_counter()
                await answered(batcher, asked)
                worst = max(worst, arrived[0] - started)
    return 1000 * worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(WHAT))
    parser.add_argument("urls", nargs="*")
    parser.add_argument("--vllm", default="vllm")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--places", type=int, default=4)
    options = parser.parse_args()
    asyncio.run(WHAT[options.what](options))


WHAT = {"speed": speed, "affinity": affinity, "queue": queue, "urgent": urgent, "pauses": pauses, "delay": delay}

if __name__ == "__main__":
    main()
