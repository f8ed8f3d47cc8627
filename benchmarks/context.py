"""The window on a real vLLM: prompts over the budget, counting errors, prefix cache hits, and the time the context layer adds.

    python benchmarks/context.py http://localhost:8001/v1 [--turns 1000]

The server needs `--block-size 32 --enable-prompt-tokens-details`. The session is synthetic, since no model that runs on a CPU makes
1,000 sensible tool calls: every turn is a real request (answered with 8 tokens), then a tool call with a result of 20 to 450 tokens
of this repository's text. Everything else is the program's own: history, counting, trims, prefix. Hits are the server's counters;
the most that could be hit is computed from the prompts' token ids, in whole blocks, the last token always left to compute.
"""

import argparse
import asyncio
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2

from agentic.api import load_settings, open_run
from agentic.core.context import Context, PromptOptions
from agentic.core.guards import policy_of, session_launcher, tools_of
from agentic.core.opening import Opening, system_message, tiered
from agentic.core.runtime import Runtime
from agentic.events import ContextTrimmed, Event
from agentic.lib.children.jobs import Jobs
from agentic.lib.wire import AnswerBuilder
from agentic.lib.wire.request import encode_message
from agentic.lib.workspace import Workspace
from agentic.sessions import ConversationHistory, SessionStore
from agentic.types import ChatRequest, Message, ToolNote, Usage

ROOT = Path(__file__).parents[1]
BLOCK = 32
ANSWER = 8


@dataclass
class Turn:
    """`reachable`: the most of the prompt that the cache could serve after the prompts before it, in tokens."""

    prompt: int
    counted: int
    cached: int
    reachable: int
    shared: int
    trimmed: bool


@dataclass
class Session:
    """A synthetic tool session against the real server."""

    runtime: Runtime
    window: int
    seed: int = 0
    turns: list[Turn] = field(default_factory=list)

    async def run(self, turns: int, result_tokens: tuple[int, int] = (20, 450)) -> None:
        chance, texts = random.Random(self.seed), repository_text()
        history = ConversationHistory(SessionStore(Path(tempfile.mkdtemp())).new(ROOT))
        strategy = self.runtime.build("agentic_context_strategies", "")
        context = Context(strategy, self.runtime.llm, history, self._note, PromptOptions("recall"))
        protocol, tier, prompts = self.runtime.build("agentic_tool_protocols", "json"), "nano", self.runtime.prompts
        launcher = session_launcher(self.runtime, policy_of(self.runtime.host, self.runtime.setup))
        tools = tools_of(self.runtime, None, None, None, "", launcher.start, Jobs(), None)  # type: ignore[arg-type]
        specs = [tiered(tool.spec, tier) for _, tool in sorted(tools.items())]
        history.add(system_message(prompts, protocol, specs, tier, f"(run {self.seed})"))  # a prefix of its own, cold at first
        history.add(Opening(Workspace(ROOT), prompts, 3072).first("mend the parser", "", brief=True))
        before: list[int] = []
        for number in range(turns):
            self._trimmed = False
            prepared = await context.request(lambda m: ChatRequest(tuple(m), session="bench"))
            request, counted = prepared.request, prepared.tokens
            usage = await self._ask(replace(request, max_tokens=ANSWER))
            self.runtime.llm.counter.learn(request, usage.prompt_tokens)
            ids = await self._ids(request)
            shared = common(before, ids)
            reachable = min(shared, len(ids) - 1) // BLOCK * BLOCK
            self.turns.append(Turn(usage.prompt_tokens, counted, usage.cached_tokens or 0, reachable, shared, self._trimmed))
            before = ids
            history.add(Message("assistant", json.dumps({"tool": "run", "arguments": {"command": f"step {number}"}})))
            start = chance.randrange(len(texts) - 4000)
            text = texts[start : start + 3 * chance.randint(*result_tokens)]
            shown = await context.clipped(text)
            history.add(Message("user", f"Result of run:\n{shown}", notes=(ToolNote(f"run step {number}", False, 0),)))

    async def _note(self, event: Event) -> None:
        self._trimmed = self._trimmed or isinstance(event, ContextTrimmed)

    async def _ask(self, request: ChatRequest) -> Usage:
        answer = AnswerBuilder()
        async for delta in self.runtime.batcher.submit(request):
            answer.add(delta)
        assert answer.usage is not None
        return answer.usage

    async def _ids(self, request: ChatRequest) -> list[int]:
        url = self.runtime.info.url.removesuffix("/v1")
        body = {"model": self.runtime.info.model, "messages": [encode_message(message) for message in request.messages]}
        async with httpx2.AsyncClient(verify=False, trust_env=False) as client:
            ids: list[int] = (await client.post(f"{url}/tokenize", json=body)).json()["tokens"]
        return ids


def common(before: Sequence[int], ids: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), min(len(before), len(ids)))


def repository_text() -> str:
    paths = sorted([*ROOT.glob("agentic/**/*.py"), *ROOT.glob("docs/*.md"), *ROOT.glob("*.md")])
    return "\n".join(path.read_text() for path in paths)


@asynccontextmanager
async def opened(url: str, window: int, transport: str = "vllm") -> AsyncIterator[Runtime]:
    options = {"llm.endpoints": [url], "llm.transport": transport, "context.context_window": window}
    async with open_run(ROOT, load_settings(ROOT, options)) as runtime:
        yield runtime


async def counters(url: str) -> tuple[float, float]:
    """(tokens asked of the prefix cache, tokens it served), since the server started."""
    async with httpx2.AsyncClient(verify=False, trust_env=False) as client:
        text = (await client.get(f"{url.removesuffix('/v1')}/metrics")).text
    found = {
        name: float(v) for name, v in re.findall(r"^vllm:prefix_cache_(queries|hits)_total\{[^}]*\} (\S+)$", text, re.MULTILINE)
    }
    return found["queries"], found["hits"]


async def layer_times(url: str, messages: int = 200, turns: int = 100) -> tuple[list[float], list[float]]:
    """Milliseconds from a new message to a request that is ready, with that many messages: (all, without the server's count)."""
    async with opened(url, 16_000) as runtime:
        whole: list[float] = []
        own: list[float] = []
        for exact, times in ((True, whole), (False, own)):
            history = ConversationHistory(SessionStore(Path(tempfile.mkdtemp())).new(ROOT))
            strategy = runtime.build("agentic_context_strategies", "")
            context = Context(strategy, runtime.llm, history, runtime.events.emit, PromptOptions(exact=exact))
            history.add(Message("system", "You are an agent."))
            for number in range(messages):
                history.add(Message("assistant" if number % 2 else "user", f"message {number} with a few words in it"))
            for number in range(turns):
                history.add(Message("assistant", f"step {number}"))
                history.add(Message("user", f"{number} " + "some words\n" * 8))
                started = time.perf_counter()
                await context.request(lambda m: ChatRequest(tuple(m), session="layer"))
                times.append(1000 * (time.perf_counter() - started))
        return whole[3:], own[3:]


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--turns", type=int, default=1000)
    options = parser.parse_args()
    print(f"measuring against {options.url}", file=sys.stderr)
    whole, own = await layer_times(options.url)
    print(f"context layer, 200 messages: p99 {statistics.quantiles(own, n=100)[98]:.1f} ms, with the server's count of what is new"
          f" p50 {statistics.median(whole):.1f} ms, p99 {statistics.quantiles(whole, n=100)[98]:.1f} ms (reach 5)")  # fmt: skip
    async with opened(options.url, 4096) as runtime:
        asked, hit = await counters(options.url)
        short = Session(runtime, 4096, seed=random.randrange(10**9))
        await short.run(20, (20, 120))
        asked, hit = (now - then for now, then in zip(await counters(options.url), (asked, hit), strict=True))
        reachable = sum(turn.reachable for turn in short.turns)
        print(f"20-turn session: {hit:.0f} of {asked:.0f} prompt tokens from cache, {100 * hit / asked:.1f} % (reach 80),"
              f" {hit / reachable:.3f} of what could be hit (reach 0.95)")  # fmt: skip
    async with opened(options.url, 4096) as runtime:
        long = Session(runtime, 4096, seed=random.randrange(10**9))
        await long.run(options.turns)
        report(long.turns)
    async with opened(options.url, 4096, "openai") as runtime:
        plain = Session(runtime, 4096, seed=random.randrange(10**9))
        await plain.run(60)
        errors = [100 * (turn.counted - turn.prompt) / turn.prompt for turn in plain.turns[3:]]
        print(f"without a tokenizer (usage and estimates): {statistics.mean(errors):.1f} % over, {max(errors):.1f} % at most,")
        print(f"  {sum(error < 0 for error in errors)} of {len(errors)} under (reach 2 %, 0)")


def report(turns: Sequence[Turn]) -> None:
    over = sum(turn.prompt > 3072 for turn in turns)
    wrong = sum(turn.prompt != turn.counted for turn in turns[3:])
    most = max(turn.prompt for turn in turns)
    print(f"{len(turns)} turns, window 4096: {over} requests over 3072 prompt tokens (reach 0), most {most};"
          f" 0 overflow errors; {wrong} counts wrong after the third call (reach 0)")  # fmt: skip
    trims = [i for i, turn in enumerate(turns) if turn.trimmed]
    at_once = [turns[i].cached / turns[i].prompt for i in trims]
    after = [turns[i + 1].cached / turns[i].prompt for i in trims if i + 1 < len(turns)]
    hits = sum(turn.cached for turn in turns) / sum(turn.prompt for turn in turns)
    best = sum(turn.cached for turn in turns) / max(1, sum(turn.reachable for turn in turns))
    often = len(turns) / max(1, len(trims))
    print(f"  {len(trims)} trims, one in {often:.1f} turns; {100 * hits:.1f} % from cache, {best:.3f} of what could be")
    if trims:
        print(f"  of a trimmed prompt {100 * statistics.median(at_once):.0f} % from cache in its own request,"
              f" {100 * statistics.median(after):.0f} % on the next turn (reach 70)")  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
