"""vLLM's `/metrics`: the few of its numbers that a client can use (names: `v1/metrics/loggers.py` of 0.32)."""

import re
from collections import Counter, defaultdict

from agentic import AgenticError, EndpointLoad

_LINE = re.compile(rb"^vllm:(\w+)(?:\{(.*)\})? ([0-9.eE+-]+|NaN)", re.MULTILINE)
_BLOCK, _BLOCKS = re.compile(rb'block_size="(\d+)"'), re.compile(rb'num_gpu_blocks="(\d+)"')


def read_metrics(text: bytes) -> EndpointLoad:
    """Sums over the engines behind an endpoint, shares as their mean. Raises AgenticError for a text without vLLM's metrics."""
    values: defaultdict[bytes, float] = defaultdict(float)
    engines: Counter[bytes] = Counter()
    block = blocks = 0
    for name, labels, value in _LINE.findall(text):
        if name == b"cache_config_info":
            block, blocks = (int(found[1]) if (found := each.search(labels)) else 0 for each in (_BLOCK, _BLOCKS))
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
        first_tokens=int(values[b"time_to_first_token_seconds_count"]),
        first_token_seconds=values[b"time_to_first_token_seconds_sum"],
    )
