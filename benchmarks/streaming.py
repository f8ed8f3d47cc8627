"""What a streamed token costs on its way: delay from the socket to the terminal, and the client's CPU beside openai-python's.

    python benchmarks/streaming.py

The server runs in a process of its own. Delay: a stream paced at 6 ms whose pieces carry the time they were sent at, through the
whole program (`agentic ask`) to a pipe. CPU: 64 streams at once,
each paced at 20 ms, user and system time of the client's process for one chunk.
"""

import asyncio
import os
import pty
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentic.lib.loop import run
from agentic.testing import FakeVLLM, answer, settings_with
from agentic.testing.answers import chunk, event
from agentic.types import ChatRequest, Message

STREAMS, CHUNKS, PACE_SECONDS = 64, 200, 0.02


def main() -> None:
    if len(sys.argv) > 1:
        start = run if sys.argv[1] == "agentic" else asyncio.run
        start(CLIENTS[sys.argv[1]](sys.argv[2]))
        return
    delays = delays_ms()
    cut = statistics.quantiles(delays, n=100)
    print(
        f"socket to output, paced at 6 ms, {len(delays)} pieces: p50 {cut[49]:.2f} ms (reach 2), p99 {cut[98]:.2f} ms (reach 10),"
    )
    print(f"  most {max(delays):.2f} ms (never 100)")
    shown = statistics.quantiles(delays_ms(on_terminal=True), n=100)
    print(f"socket to screen (a terminal, with colours and status line): p50 {shown[49]:.2f} ms, p99 {shown[98]:.2f} ms (reach 10)")
    mine, theirs = cpu_us("agentic"), cpu_us("openai")
    ratio = f"{mine / theirs:.2f} (reach 0.25)"
    print(f"client CPU a chunk, {STREAMS} paced streams at once: {mine:.1f} µs, openai-python {theirs:.1f} µs: {ratio}")


def delays_ms(on_terminal: bool = False) -> list[float]:
    """Milliseconds between a piece's sending and its arrival behind the program: in a pipe, or on a terminal."""
    pieces = [event(chunk({"content": f"@{number} "})) for number in range(600)]
    with FakeVLLM() as server:
        sent: list[float] = []

        class Stamped(list[bytes]):
            def __iter__(self) -> Any:
                for piece in pieces:
                    time.sleep(0.006)
                    sent.append(time.monotonic())
                    yield piece
                yield from answer("").pieces[1:]

        scripted = answer("")
        scripted.pieces = Stamped()
        server.script(scripted)
        command = [str(Path(sys.executable).parent / "agentic"), "ask", "hi", "--endpoint", server.url]
        read_end, write_end = pty.openpty() if on_terminal else os.pipe()
        environment = os.environ | {"TERM": "xterm-256color", "COLORFGBG": "15;0"}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=write_end, stderr=subprocess.DEVNULL, env=environment)
        os.close(write_end)
        seen: list[float] = []
        with suppress(OSError):  # a terminal's end
            while data := os.read(read_end, 65536):
                seen += [time.monotonic()] * data.count(b"@")
        process.wait()
    return [(there - here) * 1000 for here, there in zip(sent[5:], seen[5:], strict=True)]


def cpu_us(client: str) -> float:
    """Microseconds of CPU in the client's process for one chunk, less what it costs to start and do nothing."""
    with FakeVLLM() as server:
        scripted = answer([f"word{number} " for number in range(CHUNKS)], pause=PACE_SECONDS)
        server.otherwise = lambda request: scripted
        done = subprocess.run([sys.executable, __file__, client, server.url], capture_output=True, text=True, check=True)
    return float(done.stdout)


async def measure(run: Callable[[], Awaitable[int]]) -> None:
    await run()  # imports and first connections
    before = resource.getrusage(resource.RUSAGE_SELF)
    counts = await asyncio.gather(*(run() for _ in range(STREAMS)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert all(count >= CHUNKS for count in counts), counts
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(seconds * 1e6 / sum(counts))


async def with_agentic(url: str) -> None:
    from plugins_builtin.vllm.options import VllmOptions
    from plugins_builtin.vllm.transport import VllmTransport

    transport = VllmTransport(settings_with({"llm.endpoints": [url]}).llm, VllmOptions())
    request = ChatRequest((Message("user", "hi"),))

    async def run() -> int:
        return len([delta async for delta in transport.stream(request, url) if delta.text])

    await measure(run)
    await transport.aclose()


async def with_openai(url: str) -> None:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="none")

    async def run() -> int:
        stream = await client.chat.completions.create(model="fake", messages=[{"role": "user", "content": "hi"}], stream=True)
        return len([part async for part in stream if part.choices and part.choices[0].delta.content])

    await measure(run)
    await client.close()


CLIENTS: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {"agentic": with_agentic, "openai": with_openai}

if __name__ == "__main__":
    main()
