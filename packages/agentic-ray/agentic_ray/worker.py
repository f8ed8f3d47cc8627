"""What runs on a node: a module of its own, since Ray's workers find it by its name."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from agentic import sub_agent


def records(part: Mapping[str, Any], secrets: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """What `agentic sub-agent` says of the part."""
    command = (sys.executable, "-P", "-m", "agentic", "sub-agent")
    with asyncio.Runner() as runner:
        stream: Any = sub_agent(command, part, secrets)
        try:
            while (record := runner.run(_next(stream))) is not None:
                yield record
        finally:
            runner.run(stream.aclose())


async def _next(stream: AsyncIterator[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return await anext(stream, None)
