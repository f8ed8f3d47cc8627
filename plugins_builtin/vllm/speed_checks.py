"""How an endpoint does with several requests, and how its answers come."""

import asyncio
import secrets
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

from agentic import AgenticError
from plugins_builtin.vllm.cache_checks import WORDS
from plugins_builtin.vllm.canary import Canary, Diagnosis

STREAM_TOKENS = 32
BATCH = 4
GAIN = 1.5  # times one request's tokens a second that four at once must bring
CROWD, CROWD_TOKENS = 12, 1800


class SpeedChecks:
    """Loads the endpoint that `canary` asks."""

    def __init__(self, canary: Canary) -> None:
        self._canary = canary

    async def chunks(self) -> Diagnosis:
        reply = await self._canary.ask(
            "Count from one to one hundred in words.", max_tokens=STREAM_TOKENS, return_token_ids=True, ignore_eos=True
        )
        sizes, times = reply.sizes, reply.times
        several = [size for size in sizes[1:] if size > 1]
        if len(sizes) > 2 and len(several) > len(sizes) // 2:
            return Diagnosis("chunks", False, f"{max(sizes)} tokens each: text comes in jerks", "--stream-interval 1")
        gaps = [after - before for before, after in pairwise(times)]
        bunched = sum(gap < 0.0005 for gap in gaps)
        if gaps and reply.seconds > 0.2 and bunched > 0.8 * len(gaps):
            return Diagnosis(
                "chunks", False, "they arrive all at once: a proxy holds them back", "proxy_buffering off (nginx), or no proxy"
            )
        return Diagnosis("chunks", True, f"one token each, {len(gaps) / max(sum(gaps), 1e-6):.0f} a second")

    async def priority(self) -> Diagnosis:
        """An urgent request behind a crowd of long prompts must not be the last to be served."""
        size = min(CROWD_TOKENS, (self._canary.info.window or 4096) // 2) // 14
        served: list[str] = []

        async def one(name: str, text: str, priority: int) -> None:
            await self._canary.ask(text, max_tokens=2, priority=priority)
            served.append(name)

        crowd = [asyncio.ensure_future(one("", secrets.token_hex(8) + " " + WORDS * size, 10)) for _ in range(CROWD)]
        await asyncio.sleep(0.05)
        try:
            await one("urgent", "Say yes.", -10)
            await asyncio.gather(*crowd)
        except AgenticError as error:
            return Diagnosis("priority", False, f"refused ({error})", "--scheduling-policy priority")
        finally:
            for task in crowd:
                task.cancel()
        behind = len(served) - 1 - served.index("urgent")
        self._canary.can = replace(self._canary.can, priority=behind >= 3)
        if behind >= 3:
            return Diagnosis("priority", True, f"an urgent request overtook {behind} of {CROWD}")
        return Diagnosis("priority", False, "an urgent request waited for all the others", "--scheduling-policy priority")

    async def batching(self) -> Diagnosis:
        """Four requests at once, against one."""
        question = "Write a long story about a lighthouse. " + secrets.token_hex(4)
        fields: dict[str, Any] = {"max_tokens": 64, "ignore_eos": True}
        alone = await self._canary.ask(question, **fields)
        before = await self._canary.load()
        started = time.monotonic()
        together = asyncio.gather(*(self._canary.ask(f"{question} {number}", **fields) for number in range(BATCH)))
        most = 0
        while not together.done():
            load = await self._canary.load()
            most = max(most, load.running if load else 0)
            await asyncio.sleep(0.02)
        seconds = time.monotonic() - started
        tokens = sum(reply.usage.completion_tokens for reply in await together)
        after = await self._canary.load()
        asked = after.prompt_tokens - before.prompt_tokens if before and after else 0
        hits = f", hit rate {(after.cached_tokens - before.cached_tokens) / asked:.0%}" if before and after and asked else ""
        gain = (tokens / seconds) / (alone.usage.completion_tokens / alone.seconds)
        text = f"{BATCH} at once: {most} running{hits}, {tokens / seconds:.0f} tokens a second, {gain:.1f} times one alone"
        if gain >= GAIN and (most >= BATCH or before is None):
            return Diagnosis("batching", True, text)
        return Diagnosis("batching", False, text, f"--max-num-seqs {BATCH * 32} or more, and memory for it; is the machine busy?")
