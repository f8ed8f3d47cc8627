"""vLLM's `/metrics`: the few of its numbers that a client can use (names: `v1/metrics/loggers.py` of 0.32)."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

from agentic import AgenticError, EndpointLoad

_LINE = re.compile(rb"^vllm:(\w+)(?:\{(.*)\})? ([0-9.eE+-]+|NaN)", re.MULTILINE)
_LABEL = re.compile(rb'(\w+)="([^"]*)"')


def read_metrics(text: bytes) -> EndpointLoad:
    """Sums over the engines behind an endpoint, shares as their mean. Raises AgenticError for a text without vLLM's metrics."""
    values: defaultdict[bytes, float] = defaultdict(float)
    engines: Counter[bytes] = Counter()
    block, blocks, unit, cache = 0, 0, 0, ""
    for name, labels, value in _LINE.findall(text):
        if name == b"cache_config_info":
            block, blocks, unit, cache = _cache_of(dict(_LABEL.findall(labels)))
        elif value != b"NaN":
            values[name] += float(value)
            engines[name] += 1
    if b"num_requests_running" not in values:
        raise AgenticError("the server's /metrics are not vLLM's")
    return EndpointLoad(
        running=int(values[b"num_requests_running"]),
        waiting=int(values[b"num_requests_waiting"]),
        kv_usage=max(values[name] / max(1, engines[name]) for name in (b"kv_cache_usage_perc", b"gpu_cache_usage_perc")),
        preemptions=int(values[b"num_preemptions_total"]),
        prompt_tokens=int(values[b"prefix_cache_queries_total"]),
        cached_tokens=int(values[b"prefix_cache_hits_total"]),
        generated_tokens=int(values[b"generation_tokens_total"]),
        block=block,
        blocks=blocks,
        cache=cache,
        unit=unit,
        first_tokens=int(values[b"time_to_first_token_seconds_count"]),
        first_token_seconds=values[b"time_to_first_token_seconds_sum"],
    )


def _cache_of(labels: Mapping[bytes, bytes]) -> tuple[int, int, int, str]:
    """(tokens of a block, number of blocks, in which steps prompts are found again, kind of the prefix cache)"""
    names = (b"block_size", b"num_gpu_blocks", b"prefix_match_unit", b"effective_attention_block_size")
    block, blocks, unit, computed = (_number(labels.get(name, b"")) for name in names)  # mamba_block_size is what was asked for
    if labels.get(b"enable_prefix_caching") == b"False":
        return block, blocks, 0, "off"
    is_hybrid = labels.get(b"mamba_cache_mode", b"none") not in (b"none", b"None")
    return block, blocks, unit or computed or block, "hybrid" if is_hybrid else "full"


def _number(label: bytes) -> int:
    return int(label) if label.isdigit() else 0
