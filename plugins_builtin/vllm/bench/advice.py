"""From what was measured to what to set, here and on the servers' command lines."""

from collections.abc import Sequence

from agentic.lib.record import record
from plugins_builtin.vllm.bench.load import Step

ENOUGH = 0.9  # of the most tokens a second
MOST_SUB_AGENTS = 16
LEVELS = 2  # of requests in flight, to say which is better
FULL, SLOW_SECONDS, FEW_CACHED = 0.95, 3.0, 0.3


@record(frozen=True, slots=True)
class Advice:
    """`settings` by key, with the reason; `flags` of `vllm serve` in the same way."""

    settings: dict[str, tuple[int, str]]
    flags: dict[str, str]


def advice(steps: Sequence[Step]) -> Advice:
    """Returns advice from the steps that an agent's prompts made, or from all where there are none.

    It suggests no settings where one endpoint was seen at one level only.
    """
    of_agents = [each for each in steps if each.shape == "agent" and each.requests] or [each for each in steps if each.requests]
    alone = [each for each in of_agents if len(each.endpoints) == 1]
    of_each = {url: [each for each in alone if each.endpoints == (url,)] for url in {each.endpoints[0] for each in alone}}
    if not of_each or min(map(len, of_each.values())) < LEVELS:
        return Advice({}, _flags(alone, alone))
    knees = {url: _knee(seen) for url, seen in of_each.items()}
    least = min(knees.values(), key=lambda each: each.concurrency)
    most = sum(each.concurrency for each in knees.values())
    reason = f"{ENOUGH:.0%} of the most tokens a second come at {least.concurrency} in flight"
    settings = {
        "batching.batch_size": (least.concurrency, reason),
        "sub_agents.max_concurrent": (max(1, min(MOST_SUB_AGENTS, most)), f"{most} in flight pay, over all endpoints"),
    }
    return Advice(settings, _flags(alone, list(knees.values())))


def _knee(steps: Sequence[Step]) -> Step:
    best = max(each.tokens_per_second for each in steps)
    return min((each for each in steps if each.tokens_per_second >= ENOUGH * best), key=lambda each: each.concurrency)


def _flags(alone: Sequence[Step], knees: Sequence[Step]) -> dict[str, str]:
    flags = {}
    cached = [each.cached for each in alone if each.shape == "agent" and each.concurrency > 1 and each.cached is not None]
    if cached and max(cached) < FEW_CACHED:
        flags["--enable-prefix-caching"] = f"{max(cached):.0%} of the agents' prompts came from cache, though they begin alike"
    if any(each.preemptions or (each.kv or 0) > FULL for each in alone):
        flags["--kv-cache-dtype fp8, or a smaller --max-model-len"] = "the cache is full, and requests lose their place in it"
    elif any((each.waiting or 0) > each.concurrency // 4 for each in alone):
        flags["--max-num-seqs, a larger one"] = "requests wait while the cache has room"
    if any(each.ttft_p95 > SLOW_SECONDS for each in knees):
        slow = max(each.ttft_p95 for each in knees)
        why = f"one in twenty waits {slow:.1f} s for its first token where throughput is best"
        flags["--max-num-batched-tokens, another one"] = why
    return flags
