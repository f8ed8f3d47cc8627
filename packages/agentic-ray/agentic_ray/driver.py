"""The process that holds the connection to the cluster: `python -m agentic_ray.driver OPTIONS`, ended by the end of its input.

Reads {"number", "part", "secrets"} and {"cancel": number}, writes {"number", "record"} and, once for each part, {"number",
"over"} or {"number", "failed": WHY}, a line each.
"""

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported
import ray

from agentic import AgenticError, Part
from agentic.hooks.runner import MAX_RECORD
from agentic_ray.runner import LOCAL
from agentic_ray.worker import records

REACH_SECONDS = 5.0  # for the cluster's address to take a connection
ENDING_SECONDS = 1.5  # from asking a task to end to ending its worker
out, sys.stdout = sys.stdout, sys.stderr  # what Ray prints is no message


class Work:
    """The tasks of a cluster."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._connecting = asyncio.Lock()
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def begin(self, number: int, part: Part, secrets: Mapping[str, str]) -> None:
        self._tasks[number] = asyncio.ensure_future(self._do(number, part, secrets))

    def cancel(self, number: int) -> None:
        if task := self._tasks.get(number):
            task.cancel()

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _do(self, number: int, part: Part, secrets: Mapping[str, str]) -> None:
        last: dict[str, Any] = {"over": True}
        try:
            async with self._connecting:
                await asyncio.to_thread(connect, self._options)
            needs = {"num_cpus": self._options["cpus"], "resources": self._options["resources"] or None}
            stream: Any = ray.remote(max_retries=0, num_returns="streaming", **needs)(records).remote(part, secrets)
            try:
                async for reference in stream:
                    say({"number": number, "record": await reference})
            except asyncio.CancelledError:
                await asyncio.to_thread(_end, stream)
                raise
        except Exception as error:  # each part of Ray has its own
            last = {"failed": error_in_words(error)}
        finally:
            del self._tasks[number]
            say({"number": number, **last})


def connect(options: Mapping[str, Any]) -> None:
    """Raises AgenticError where nothing answers: Ray itself would end the process."""
    if ray.is_initialized():
        return
    address = options["address"]
    if address != LOCAL and address != "auto":
        parts = urlsplit(address if "://" in address else f"//{address}")
        try:
            socket.create_connection((parts.hostname or "", parts.port or 6379), REACH_SECONDS).close()
        except (OSError, ValueError) as error:
            raise AgenticError(f"no cluster at {address} ({error}); plugin.ray.address names it as HOST:PORT") from error
    ray.init(
        address=address,
        runtime_env=options["runtime_env"] or None,
        log_to_driver=False,
        logging_level=logging.ERROR,
        include_dashboard=False if address == LOCAL else None,
    )


def _end(stream: Any) -> None:
    """Asks the task to end, and ends its worker where it does not."""
    for force in (False, True):
        with suppress(ray.exceptions.RayError, ValueError):
            ray.cancel(stream, force=force)
            if ray.wait([stream.completed()], timeout=ENDING_SECONDS)[0]:
                return


def error_in_words(error: BaseException) -> str:
    """Its first sentence: Ray's errors go on with explanations and tracebacks."""
    cause = getattr(error, "cause", None) or error
    said = str(cause).strip().partition("\n")[0].partition(". ")[0]
    return said if isinstance(cause, AgenticError) else f"{type(cause).__name__}: {said}"[:300]


def say(message: Mapping[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


async def main() -> None:
    reader = asyncio.StreamReader(limit=MAX_RECORD)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    work = Work(json.loads(sys.argv[1]))
    async for line in reader:
        message = json.loads(line)
        if "cancel" in message:
            work.cancel(message["cancel"])
        else:
            work.begin(message["number"], message["part"], message["secrets"])
    await work.end()


if __name__ == "__main__":
    asyncio.run(main())
    ray.shutdown()
