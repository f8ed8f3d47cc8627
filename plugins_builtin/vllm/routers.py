"""The routers between us and the servers, known by what only they answer.

`docs/routers.md` says what was tried and what was read.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from agentic import AgenticError
from plugins_builtin.vllm.connection import Response

LOOKS = 6  # at /metrics: a router asks another server each time
_START = re.compile(rb"^process_start_time_seconds (\S+)", re.MULTILINE)
Fetch = Callable[[str], Awaitable[Response]]
"""GET of a path from the root. Raises AgenticError."""


def _sglang(value: Any) -> str:
    urls = value.get("urls") if isinstance(value, dict) else None
    return f"vllm-router or SGLang's gateway, {len(urls)} servers" if isinstance(urls, list) else ""


def _production_stack(value: Any) -> str:
    engines = value if isinstance(value, list) else []
    known = engines and all(isinstance(each, dict) and "engine_id" in each for each in engines)
    return f"production-stack, {len(engines)} servers" if known else ""


def _dynamo(value: Any) -> str:
    instances = value.get("instances") if isinstance(value, dict) else None
    return f"Dynamo, {len(instances)} instances" if isinstance(instances, list) else ""


def _ray_serve(value: Any) -> str:
    routes = isinstance(value, dict) and value and all(isinstance(each, str) and name[:1] == "/" for name, each in value.items())
    return "Ray Serve" if routes else ""


_ASKED: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("/list_workers", _sglang),
    ("/engines", _production_stack),
    ("/health", _dynamo),
    ("/-/routes", _ray_serve),
)


async def router_of(fetch: Fetch) -> str:
    """Its name and what it says of its servers; "" where nothing gives one away."""
    for path, known in _ASKED:
        try:
            if name := known(json.loads((await fetch(path)).body)):
                return name
        except (AgenticError, ValueError, RecursionError):
            continue
    try:
        if any(name.startswith(("x-litellm-", "litellm-")) for name in (await fetch("/health/liveliness")).headers):
            return "LiteLLM's proxy"
    except AgenticError:
        pass
    try:
        return "Envoy, as llm-d has one" if (await fetch("/health")).headers.get("server") == "envoy" else ""
    except AgenticError:
        return ""


async def servers_behind(fetch: Fetch) -> int:
    """How many servers' /metrics came in turn; 0 where none tells when it was started."""
    starts = set[bytes]()
    for _ in range(LOOKS):
        try:
            starts.update(_START.findall((await fetch("/metrics")).body))
        except AgenticError:
            break
    return len(starts)
