"""Checks of an endpoint's prefix cache: how much it finds there, and what keeps it from finding more."""

import secrets
import time
from dataclasses import replace

from agentic import ChatRequest, Message, ToolSpec, Usage
from agentic.lib.wire import AnswerBuilder
from plugins_builtin.vllm import harmony
from plugins_builtin.vllm.canary import Canary, Diagnosis
from plugins_builtin.vllm.harmony_stream import differences
from plugins_builtin.vllm.openings import LONG_UNIT
from plugins_builtin.vllm.strict import SCHEMA

WORDS = "the quick brown fox jumps over the lazy dog and runs through the field "
UNIT = 32  # tokens
_REPORT = ToolSpec("report", "Reports a number.", SCHEMA)


class CacheChecks:
    """Looks at the prefix cache of the endpoint that `canary` asks."""

    def __init__(self, canary: Canary) -> None:
        self._canary = canary

    async def prefix_cache(self) -> Diagnosis:
        """The second of two equal requests must be served from cache, for all but its last block."""
        load = await self._canary.load()
        block = load.unit if load and load.unit else 16
        prompt = secrets.token_hex(4) + " " + WORDS * (3 * block // 12 + 4)
        await self._canary.ask(prompt, max_tokens=2)
        before = await self._canary.load()
        reply = await self._canary.ask(prompt, max_tokens=2)
        cached = reply.usage.cached_tokens
        if cached is None:
            after = await self._canary.load()
            cached = after.cached_tokens - before.cached_tokens if before and after else 0
        share = cached / max(1, reply.usage.prompt_tokens)
        kind = f"{load.cache} cache, " if load and load.cache in ("full", "hybrid") else ""
        text = f"{share:.0%} of a repeated prompt ({kind}blocks of {block})"
        if cached > 0:
            return Diagnosis("prefix cache", True, text)
        return Diagnosis("prefix cache", False, text, "--enable-prefix-caching (and no --no-enable-prefix-caching)")

    async def cache_unit(self) -> Diagnosis:
        """A hybrid model's cache is found again in long blocks unless the server is told otherwise."""
        load = await self._canary.load()
        if load is None or load.cache != "hybrid":
            return Diagnosis("cache unit", None, "matters for hybrid models only")
        found = f"prompts are found again in steps of {load.unit} tokens"
        if load.unit <= LONG_UNIT:
            return Diagnosis("cache unit", True, found)
        return Diagnosis(
            "cache unit", False, f"{found}: half of that is computed again at each step", f"--prefix-match-unit {UNIT}"
        )

    async def second_turn(self) -> Diagnosis:
        """Checks how much of all that was computed a run's second step finds in the cache.

        gpt-oss's goes on in ids where they are taken.
        """
        name, words = "second turn", secrets.token_hex(4) + " " + WORDS * 40
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
        load = await self._canary.load()
        block = load.unit if load and load.unit else 16
        possible = (one.prompt_tokens + one.completion_tokens - 1) // block * block
        way, why = self._canary.transport.way_of_prompts(self._canary.endpoint)
        said = f"{second.cached_tokens} of {possible} tokens that were computed come from the cache, the prompt goes {way}"
        kinds = ", ".join(sorted(differences))
        lost = f"; its own parser lost {kinds}, read from the tokens here" if kinds else ""
        return Diagnosis(name, second.cached_tokens >= possible - block or None, f"{said}{lost}", why)

    async def _turn(self, request: ChatRequest) -> tuple[Usage, Message]:
        making = AnswerBuilder()
        async for delta in self._canary.transport.stream(request, self._canary.endpoint):
            making.add(delta)
        return making.usage or Usage(), making.message()

    async def retention(self) -> Diagnosis:
        if not harmony.is_gpt_oss(self._canary.info.model):
            return Diagnosis("cache retention", None, "matters for gpt-oss only")
        text = (await self._canary.transport.fetch("GET", self._canary.endpoint, "/metrics")).body.decode("utf-8", "replace")
        interval = text.partition('prefix_cache_retention_interval="')[2].partition('"')[0]
        if interval in ("", "0", "None"):
            remedy = "--prefix-cache-retention-interval 256"
            return Diagnosis("cache retention", False, "only the ends of prompts stay: a second sub-agent starts cold", remedy)
        return Diagnosis("cache retention", True, f"every {interval} tokens")

    async def date(self) -> Diagnosis:
        if not harmony.is_gpt_oss(self._canary.info.model) or not harmony.available():
            return Diagnosis("date in the prompt", None, "matters for gpt-oss only")
        reply = await self._canary.ask("Say yes.", max_tokens=2, return_token_ids=True)
        if time.strftime("%Y-%m-%d") in harmony.text_of(reply.prompt_ids[:60]):
            return Diagnosis(
                "date in the prompt", False, "today's: the whole cache is lost at midnight", "VLLM_SYSTEM_START_DATE=2026-01-01"
            )
        return Diagnosis("date in the prompt", True, "pinned")
