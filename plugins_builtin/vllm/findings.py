"""The checks of what an endpoint can do, and the words on its command line that would mend what it cannot.

Each check is a canary: it fails where the server only pretends, for vLLM takes unknown fields without a word.
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentic import AgenticError, ChatRequest, EndpointUnavailable, Family, Message
from agentic.errors import Unreachable
from agentic.lib.families import UNKNOWN, about
from plugins_builtin.vllm.cache_checks import CacheChecks
from plugins_builtin.vllm.canary import Canary, Diagnosis, Reply
from plugins_builtin.vllm.capabilities import Capabilities
from plugins_builtin.vllm.connection import Response
from plugins_builtin.vllm.routers import router_of, servers_behind
from plugins_builtin.vllm.serve import USUAL_PARSER
from plugins_builtin.vllm.speed_checks import SpeedChecks
from plugins_builtin.vllm.strict import SCHEMA, holds_calls
from plugins_builtin.vllm.transport import VllmTransport

FAILED = 500
IDLE_SECONDS = 6.5  # vLLM's own limit is 5


class Examination:
    """The examination of an endpoint."""

    def __init__(
        self, transport: VllmTransport, endpoint: str, family: Callable[[str, str, Sequence[str]], Family] = lambda *told: UNKNOWN
    ) -> None:
        self._family_of = family
        self._canary = Canary(transport, endpoint)
        self._cache, self._speed = CacheChecks(self._canary), SpeedChecks(self._canary)
        self._short: Reply | None = None

    @property
    def can(self) -> Capabilities:
        """The abilities found so far."""
        return self._canary.can

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
            except EndpointUnavailable as error:
                if error.status == FAILED and self._is_vllm:  # this request, not all of them
                    yield Diagnosis(name, False, str(error), "the server's own log says why")
                    continue
                yield Diagnosis(  # a proxy whose server is gone answers nothing else either
                    name, False, f"the server does not answer: {error}", error.remedy or "is the server behind it running?"
                )
                return
            except (AgenticError, ValueError, KeyError, TypeError, IndexError, ArithmeticError) as error:
                yield Diagnosis(name, False, f"could not be found out: {error}")
        yield self._as_served(await idle)

    @property
    def _is_vllm(self) -> bool:
        return self._canary.can.version not in ("", "unknown")

    @property
    def _checks(self) -> list[Callable[[], Awaitable[Diagnosis]]]:
        """The checks to run: all of them for vLLM, for others those of what every server could do."""
        common = [self._router, self._window, self._tools, self._reasoning, self._schema, self._usage_details]
        if not self._is_vllm:
            return [*common, self._cache.prefix_cache, self._speed.chunks, self._speed.batching]
        return [
            self._router,
            *common[1:5],
            self._strict,
            self._batch_route,
            self._usage_details,
            self._metrics_of_requests,
            self._cache.prefix_cache,
            self._cache.cache_unit,
            self._cache.second_turn,
            self._cache.retention,
            self._cache.date,
            self._speed.chunks,
            self._speed.priority,
            self._speed.batching,
        ]

    def _as_served(self, finding: Diagnosis) -> Diagnosis:
        """Flags are of vLLM: of another server what is missing is told, and nobody is sent to mend it so."""
        if self._is_vllm or not finding.remedy.startswith(("--", "VLLM_", "a newer vLLM")):
            return finding
        behind = "" if self._canary.transport.is_llama_cpp(self._canary.endpoint) else f"where vLLM is behind it: {finding.remedy}"
        return replace(finding, ok=finding.ok if finding.name in ("tool calls", "model") else finding.ok or None, remedy=behind)

    async def idle_connections(self) -> Diagnosis:
        """True if a connection without requests stays open; it takes its time, so begin it before the other findings."""
        try:
            lives = await self._canary.transport.survives_idle(self._canary.endpoint, IDLE_SECONDS)
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
            self._canary.info = await self._canary.transport.probe(self._canary.endpoint)
        except AgenticError as error:
            start = "start it: `agentic serve` prints how" if isinstance(error, Unreachable) else ""
            return Diagnosis("reachable", False, str(error), error.remedy or start)
        return Diagnosis("reachable", True, f"in {(time.monotonic() - started) * 1000:.0f} ms")

    async def _version(self) -> Diagnosis:
        version = await self._canary.transport.version(self._canary.endpoint)
        self._canary.can = replace(self._canary.can, version=version or "unknown")
        if not version:
            kind = (
                "llama.cpp"
                if self._canary.transport.is_llama_cpp(self._canary.endpoint)
                else "no vLLM that shows: another server, or a proxy"
            )
            return Diagnosis("version", None, kind)
        return Diagnosis("version", True, f"vLLM {version}")

    async def _router(self) -> Diagnosis:
        """Nothing wrong, but good to know: one URL with several servers behind it."""

        async def fetch(path: str) -> Response:
            return await self._canary.transport.fetch("GET", self._canary.endpoint, path)

        name, servers = await router_of(fetch), await servers_behind(fetch)
        if not name and servers < 2:
            return Diagnosis("router", None, "none that shows")
        seen = f"{servers} servers' /metrics come in turn" if servers > 1 else ""
        advice = "let it go by X-Session-ID or by the prompt's prefix (docs/routers.md)"
        return Diagnosis("router", True, "; ".join(part for part in (name or "unknown", seen, advice) if part))

    async def _window(self) -> Diagnosis:
        window, model = self._canary.info.window, self._canary.info.model
        if 0 < window < 2048:
            return Diagnosis("model", False, f"{model}, {window} tokens: too few to work in", "--max-model-len 4096, or more")
        return Diagnosis("model", True, f"{model}, a window of {window or 'unknown'} tokens; {about(self._family)}")

    @property
    def _family(self) -> Family:
        info = self._canary.info
        return self._family_of(f"{info.model} {info.root}", info.template, info.shown)

    async def _tools(self) -> Diagnosis:
        parser = self._family.tool_parser or USUAL_PARSER
        remedy = f"--enable-auto-tool-choice --tool-call-parser {parser}"
        try:
            reply = await self._canary.ask(
                "Call the tool report with number 4721.", tools=[_tool("report", SCHEMA)], max_tokens=256
            )
        except AgenticError as error:
            return Diagnosis("tool calls", False, f"refused: {error}", remedy)
        if "report" in reply.calls:
            self._canary.can = replace(self._canary.can, tools=True)
            return Diagnosis("tool calls", True, "the canary call came back parsed")
        if "to=functions" in reply.text or "<tool_call>" in reply.text or '"name": "report"' in reply.text:
            return Diagnosis("tool calls", False, "the call came back as text: no parser, or not this model's", remedy)
        return Diagnosis("tool calls", True, "taken, though this model made no call when told to")

    async def _reasoning(self) -> Diagnosis:
        reply = await self._canary.ask("What is 17 times 23? Think first.", max_tokens=200)
        if "<think>" in reply.text or "<|channel|>" in reply.text:
            parser = self._family.reasoning_parser or "the model's, e.g. qwen3 or deepseek_r1"
            return Diagnosis("reasoning", False, "comes as part of the text", f"--reasoning-parser ({parser})")
        return Diagnosis("reasoning", True, "in a field of its own" if reply.reasoning else "none: this model does not show any")

    async def _schema(self) -> Diagnosis:
        schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
        reply = await self._canary.ask("Say hello in French.", response_format=schema, max_tokens=200)
        try:
            held = json.loads(reply.text) == {"number": 4721}
        except ValueError:
            held = False
        self._canary.can = replace(self._canary.can, schema=held)
        text = "honoured" if held else f"ignored: {reply.text[:60]!r} came back"
        return Diagnosis("JSON schema", held, text, "" if held else "a newer vLLM; --structured-outputs-config names the backend")

    async def _strict(self) -> Diagnosis:
        try:
            held = await holds_calls(self._canary.transport, self._canary.endpoint)
        except AgenticError as error:
            return Diagnosis("strict tools", None, f"not taken ({error})")
        if held is None:
            return Diagnosis("strict tools", None, "this model made no call that could tell")
        self._canary.can = replace(self._canary.can, strict=held)
        return Diagnosis(
            "strict tools", held or None, "calls are held to their schema" if held else "calls are not held to their schema"
        )

    async def _batch_route(self) -> Diagnosis:
        requests = [ChatRequest((Message("user", f"Say {word}."),), max_tokens=2) for word in ("yes", "no")]
        try:
            await self._canary.transport.batch(requests, self._canary.endpoint)
        except AgenticError as error:
            self._canary.can = replace(self._canary.can, batch=False)
            return Diagnosis("batch route", None, f"missing, votes go one by one ({error})", "vLLM 0.32 or later has it")
        return Diagnosis("batch route", True, "two prompts in one request")

    async def _short_reply(self) -> Reply:
        """A small answer for whoever wants to know what comes along with answers."""
        self._short = self._short or await self._canary.ask("Say yes.", max_tokens=2)
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


def _tool(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "Reports a number.", "parameters": parameters}}
