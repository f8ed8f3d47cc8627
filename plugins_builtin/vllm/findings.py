"""The checks of what an endpoint can do, and the words on its command line that would mend what it cannot.

Each check is a canary: it fails where the server only pretends, for vLLM takes unknown fields without a word.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import field, replace
from itertools import pairwise
from typing import Any

from agentic import AgenticError, ChatRequest, Delta, EndpointInfo, EndpointLoad, EndpointUnavailable, Message, ToolSpec, Usage
from agentic.errors import Unreachable
from agentic.lib.record import record
from agentic.lib.wire import AnswerBuilder, ChunkDecoder
from plugins_builtin.vllm import harmony
from plugins_builtin.vllm.capabilities import Capabilities
from plugins_builtin.vllm.connection import Response
from plugins_builtin.vllm.harmony_stream import differences
from plugins_builtin.vllm.routers import router_of, servers_behind
from plugins_builtin.vllm.serve import tool_parser
from plugins_builtin.vllm.strict import SCHEMA, holds_calls
from plugins_builtin.vllm.transport import VllmTransport

CANARY_SECONDS = 120.0
IDLE_SECONDS = 6.5  # vLLM's own limit is 5
STREAM_TOKENS = 32
BATCH = 4
GAIN = 1.5  # times one request's tokens a second that four at once must bring
CROWD, CROWD_TOKENS = 12, 1800
_REPORT = ToolSpec("report", "Reports a number.", SCHEMA)
_WORD = "the quick brown fox jumps over the lazy dog and runs through the field "


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


class Examination:
    """An endpoint's. `can` is what was found out so far."""

    def __init__(self, transport: VllmTransport, endpoint: str) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._info = EndpointInfo(endpoint, "")
        self.can = Capabilities()
        self._short: Reply | None = None

    async def findings(self, idle: Awaitable[Diagnosis]) -> AsyncIterator[Diagnosis]:
        """Yields them as they are found, at last `idle`, which `idle_connections` gives. Where nobody answers there is but one."""
        first = await self._reachable()
        yield first
        if not first.ok:
            return
        yield await self._version()
        for check in self._checks:
            name = check.__name__.strip("_").replace("_", " ")
            try:
                yield self._as_served(await check())
            except EndpointUnavailable as error:  # a proxy whose server is gone answers nothing else either
                yield Diagnosis(
                    name, False, f"the server does not answer: {error}", error.remedy or "is the server behind it running?"
                )
                return
            except (AgenticError, ValueError, KeyError, TypeError, IndexError, ArithmeticError) as error:
                yield Diagnosis(name, False, f"could not be found out: {error}")
        yield self._as_served(await idle)

    @property
    def _is_vllm(self) -> bool:
        return self.can.version not in ("", "unknown")

    @property
    def _checks(self) -> list[Callable[[], Awaitable[Diagnosis]]]:
        """The checks to run: all of them for vLLM, for others those of what every server could do."""
        common = [self._router, self._window, self._tools, self._reasoning, self._schema, self._usage_details]
        if not self._is_vllm:
            return [*common, self._prefix_cache, self._chunks, self._batching]
        return [
            self._router,
            *common[1:5],
            self._strict,
            self._batch_route,
            self._usage_details,
            self._metrics_of_requests,
            self._prefix_cache,
            self._second_turn,
            self._retention,
            self._date,
            self._chunks,
            self._priority,
            self._batching,
        ]

    def _as_served(self, finding: Diagnosis) -> Diagnosis:
        """Flags are of vLLM: of another server what is missing is told, and nobody is sent to mend it so."""
        if self._is_vllm or not finding.remedy.startswith(("--", "VLLM_", "a newer vLLM")):
            return finding
        behind = "" if self._transport.is_llama_cpp(self._endpoint) else f"where vLLM is behind it: {finding.remedy}"
        return replace(finding, ok=finding.ok if finding.name in ("tool calls", "model") else finding.ok or None, remedy=behind)

    async def idle_connections(self) -> Diagnosis:
        """True if a connection without requests stays open; it takes its time, so begin it before the other findings."""
        try:
            lives = await self._transport.survives_idle(self._endpoint, IDLE_SECONDS)
        except AgenticError as error:
            return Diagnosis("idle connections", False, str(error))
        if lives:
            return Diagnosis("idle connections", True, f"live longer than {IDLE_SECONDS:g} s")
        return Diagnosis(
            "idle connections", False, "closed after 5 s: every turn opens a new one", "VLLM_HTTP_TIMEOUT_KEEP_ALIVE=300"
        )

    async def _reachable(self) -> Diagnosis:
        started = time.monotonic()
        try:
            self._info = await self._transport.probe(self._endpoint)
        except AgenticError as error:
            start = "start it: `agentic serve` prints how" if isinstance(error, Unreachable) else ""
            return Diagnosis("reachable", False, str(error), error.remedy or start)
        return Diagnosis("reachable", True, f"in {(time.monotonic() - started) * 1000:.0f} ms")

    async def _version(self) -> Diagnosis:
        version = await self._transport.version(self._endpoint)
        self.can = replace(self.can, version=version or "unknown")
        if not version:
            kind = "llama.cpp" if self._transport.is_llama_cpp(self._endpoint) else "no vLLM that shows: another server, or a proxy"
            return Diagnosis("version", None, kind)
        return Diagnosis("version", True, f"vLLM {version}")

    async def _router(self) -> Diagnosis:
        """Nothing wrong, but good to know: one URL with several servers behind it."""

        async def fetch(path: str) -> Response:
            return await self._transport.fetch("GET", self._endpoint, path)

        name, servers = await router_of(fetch), await servers_behind(fetch)
        if not name and servers < 2:
            return Diagnosis("router", None, "none that shows")
        seen = f"{servers} servers' /metrics come in turn" if servers > 1 else ""
        advice = "let it go by X-Session-ID or by the prompt's prefix (docs/routers.md)"
        return Diagnosis("router", True, "; ".join(part for part in (name or "unknown", seen, advice) if part))

    async def _window(self) -> Diagnosis:
        window, model = self._info.window, self._info.model
        if 0 < window < 2048:
            return Diagnosis("model", False, f"{model}, {window} tokens: too few to work in", "--max-model-len 4096, or more")
        return Diagnosis("model", True, f"{model}, a window of {window or 'unknown'} tokens")

    async def _tools(self) -> Diagnosis:
        parser = tool_parser(self._info.model)
        remedy = f"--enable-auto-tool-choice --tool-call-parser {parser}"
        try:
            reply = await self._ask("Call the tool report with number 4721.", tools=[_tool("report", SCHEMA)], max_tokens=256)
        except AgenticError as error:
            return Diagnosis("tool calls", False, f"refused: {error}", remedy)
        if "report" in reply.calls:
            self.can = replace(self.can, tools=True)
            return Diagnosis("tool calls", True, "the canary call came back parsed")
        if "to=functions" in reply.text or "<tool_call>" in reply.text or '"name": "report"' in reply.text:
            return Diagnosis("tool calls", False, "the call came back as text: no parser, or not this model's", remedy)
        return Diagnosis("tool calls", True, "taken, though this model made no call when told to")

    async def _reasoning(self) -> Diagnosis:
        reply = await self._ask("What is 17 times 23? Think first.", max_tokens=200)
        if "<think>" in reply.text or "<|channel|>" in reply.text:
            parser = "openai_gptoss" if harmony.is_gpt_oss(self._info.model) else "the model's, e.g. qwen3 or deepseek_r1"
            return Diagnosis("reasoning", False, "comes as part of the text", f"--reasoning-parser ({parser})")
        return Diagnosis("reasoning", True, "in a field of its own" if reply.reasoning else "none: this model does not show any")

    async def _schema(self) -> Diagnosis:
        schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
        reply = await self._ask("Say hello in French.", response_format=schema, max_tokens=200)
        try:
            held = json.loads(reply.text) == {"number": 4721}
        except ValueError:
            held = False
        self.can = replace(self.can, schema=held)
        text = "honoured" if held else f"ignored: {reply.text[:60]!r} came back"
        return Diagnosis("JSON schema", held, text, "" if held else "a newer vLLM; --structured-outputs-config names the backend")

    async def _strict(self) -> Diagnosis:
        try:
            held = await holds_calls(self._transport, self._endpoint)
        except AgenticError as error:
            return Diagnosis("strict tools", None, f"not taken ({error})")
        if held is None:
            return Diagnosis("strict tools", None, "this model made no call that could tell")
        self.can = replace(self.can, strict=held)
        return Diagnosis(
            "strict tools", held or None, "calls are held to their schema" if held else "calls are not held to their schema"
        )

    async def _batch_route(self) -> Diagnosis:
        requests = [ChatRequest((Message("user", f"Say {word}."),), max_tokens=2) for word in ("yes", "no")]
        try:
            await self._transport.batch(requests, self._endpoint)
        except AgenticError as error:
            self.can = replace(self.can, batch=False)
            return Diagnosis("batch route", None, f"missing, votes go one by one ({error})", "vLLM 0.32 or later has it")
        return Diagnosis("batch route", True, "two prompts in one request")

    async def _short_reply(self) -> Reply:
        """A small answer for whoever wants to know what comes along with answers."""
        self._short = self._short or await self._ask("Say yes.", max_tokens=2)
        return self._short

    async def _usage_details(self) -> Diagnosis:
        if (await self._short_reply()).details:
            return Diagnosis("cached-token details", True, "in every answer's usage")
        return Diagnosis(
            "cached-token details", False, "missing: nobody sees what the cache saves", "--enable-prompt-tokens-details"
        )

    async def _metrics_of_requests(self) -> Diagnosis:
        if (await self._short_reply()).metrics:
            return Diagnosis("per-request metrics", True, "queueing and speed in every answer")
        return Diagnosis("per-request metrics", False, "missing", "--enable-per-request-metrics")

    async def _prefix_cache(self) -> Diagnosis:
        """The second of two equal requests must be served from cache, for all but its last block."""
        load = await self._load()
        block = load.block if load and load.block else 16
        prompt = secrets.token_hex(4) + " " + _WORD * (3 * block // 12 + 4)
        await self._ask(prompt, max_tokens=2)
        before = await self._load()
        reply = await self._ask(prompt, max_tokens=2)
        cached = reply.usage.cached_tokens
        if cached is None:
            after = await self._load()
            cached = after.cached_tokens - before.cached_tokens if before and after else 0
        share = cached / max(1, reply.usage.prompt_tokens)
        text = f"{share:.0%} of a repeated prompt (blocks of {block})"
        if cached > 0:
            return Diagnosis("prefix cache", True, text)
        return Diagnosis("prefix cache", False, text, "--enable-prefix-caching (and no --no-enable-prefix-caching)")

    async def _second_turn(self) -> Diagnosis:
        """Checks how much of all that was computed a run's second step finds in the cache.

        gpt-oss's goes on in ids where they are taken.
        """
        name, words = "second turn", secrets.token_hex(4) + " " + _WORD * 40
        session = f"doctor-{secrets.token_hex(4)}"
        messages = (Message("system", words), Message("user", "Call the tool report with number 4721."))
        first = ChatRequest(messages, (_REPORT,), max_tokens=256, temperature=0.0, session=session, token_ids=True)
        one, answer = await self._turn(first)
        if not answer.tool_calls:
            return Diagnosis(name, None, "this model made no call that could tell")
        results = [Message("tool", "reported", tool_call_id=call.id) for call in answer.tool_calls]
        second, _ = await self._turn(replace(first, messages=(*messages, answer, *results)))
        if second.cached_tokens is None:
            return Diagnosis(name, None, "the server does not say what was cached", "--enable-prompt-tokens-details")
        load = await self._load()
        block = load.block if load and load.block else 16
        possible = (one.prompt_tokens + one.completion_tokens - 1) // block * block
        way, why = self._transport.way_of_prompts(self._endpoint)
        said = f"{second.cached_tokens} of {possible} tokens that were computed come from the cache, the prompt goes {way}"
        kinds = ", ".join(sorted(differences))
        lost = f"; its own parser lost {kinds}, read from the tokens here" if kinds else ""
        return Diagnosis(name, second.cached_tokens >= possible - block or None, f"{said}{lost}", why)

    async def _turn(self, request: ChatRequest) -> tuple[Usage, Message]:
        making = AnswerBuilder()
        async for delta in self._transport.stream(request, self._endpoint):
            making.add(delta)
        return making.usage or Usage(), making.message()

    async def _retention(self) -> Diagnosis:
        if not harmony.is_gpt_oss(self._info.model):
            return Diagnosis("cache retention", None, "matters for gpt-oss only")
        text = (await self._transport.fetch("GET", self._endpoint, "/metrics")).body.decode("utf-8", "replace")
        interval = text.partition('prefix_cache_retention_interval="')[2].partition('"')[0]
        if interval in ("", "0", "None"):
            remedy = "--prefix-cache-retention-interval 256"
            return Diagnosis("cache retention", False, "only the ends of prompts stay: a second sub-agent starts cold", remedy)
        return Diagnosis("cache retention", True, f"every {interval} tokens")

    async def _date(self) -> Diagnosis:
        if not harmony.is_gpt_oss(self._info.model) or not harmony.available():
            return Diagnosis("date in the prompt", None, "matters for gpt-oss only")
        reply = await self._ask("Say yes.", max_tokens=2, return_token_ids=True)
        if time.strftime("%Y-%m-%d") in harmony.text_of(reply.prompt_ids[:60]):
            return Diagnosis(
                "date in the prompt", False, "today's: the whole cache is lost at midnight", "VLLM_SYSTEM_START_DATE=2026-01-01"
            )
        return Diagnosis("date in the prompt", True, "pinned")

    async def _chunks(self) -> Diagnosis:
        reply = await self._ask(
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

    async def _priority(self) -> Diagnosis:
        """An urgent request behind a crowd of long prompts must not be the last to be served."""
        size = min(CROWD_TOKENS, (self._info.window or 4096) // 2) // 14
        served: list[str] = []

        async def one(name: str, text: str, priority: int) -> None:
            await self._ask(text, max_tokens=2, priority=priority)
            served.append(name)

        crowd = [asyncio.ensure_future(one("", secrets.token_hex(8) + " " + _WORD * size, 10)) for _ in range(CROWD)]
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
        self.can = replace(self.can, priority=behind >= 3)
        if behind >= 3:
            return Diagnosis("priority", True, f"an urgent request overtook {behind} of {CROWD}")
        return Diagnosis("priority", False, "an urgent request waited for all the others", "--scheduling-policy priority")

    async def _batching(self) -> Diagnosis:
        """Four requests at once, against one."""
        question = "Write a long story about a lighthouse. " + secrets.token_hex(4)
        fields: dict[str, Any] = {"max_tokens": 64, "ignore_eos": True}
        alone = await self._ask(question, **fields)
        before = await self._load()
        started = time.monotonic()
        together = asyncio.gather(*(self._ask(f"{question} {number}", **fields) for number in range(BATCH)))
        most = 0
        while not together.done():
            load = await self._load()
            most = max(most, load.running if load else 0)
            await asyncio.sleep(0.02)
        seconds = time.monotonic() - started
        tokens = sum(reply.usage.completion_tokens for reply in await together)
        after = await self._load()
        asked = after.prompt_tokens - before.prompt_tokens if before and after else 0
        hits = f", hit rate {(after.cached_tokens - before.cached_tokens) / asked:.0%}" if before and after and asked else ""
        gain = (tokens / seconds) / (alone.usage.completion_tokens / alone.seconds)
        text = f"{BATCH} at once: {most} running{hits}, {tokens / seconds:.0f} tokens a second, {gain:.1f} times one alone"
        if gain >= GAIN and (most >= BATCH or before is None):
            return Diagnosis("batching", True, text)
        return Diagnosis("batching", False, text, f"--max-num-seqs {BATCH * 32} or more, and memory for it; is the machine busy?")

    async def _load(self) -> EndpointLoad | None:
        try:
            return await self._transport.load(self._endpoint)
        except AgenticError:
            return None

    async def _ask(self, text: str, **fields: Any) -> Reply:
        """A streamed answer to a raw request: what the server does with each field is the question."""
        body = {
            "model": self._info.model,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            **fields,
        }
        reply = Reply()
        started = time.monotonic()
        decoder = _Watched(reply)
        async for delta in self._transport.deltas(
            self._endpoint, "/chat/completions", body, patience=CANARY_SECONDS, decoder=decoder
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


def _tool(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "Reports a number.", "parameters": parameters}}
