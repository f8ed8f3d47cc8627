"""The host's side: one driver process of Ray's for all parts. Ray ends the process it is in when its cluster is lost."""

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from agentic import AgenticError, Part, RunnerSetup
from agentic.hooks.runner import MAX_RECORD
from agentic_ray.options import RayOptions

LOCAL = "local"
ENDING_SECONDS = 4.0


class RayRunner:
    """Starts the driver when the first part is there."""

    def __init__(self, setup: RunnerSetup) -> None:
        self._options: RayOptions = setup.options
        self._secrets = dict(setup.secrets) if not self.elsewhere else {}  # other machines hold their own
        self._starting = asyncio.Lock()
        self._driver: Driver | None = None

    @property
    def elsewhere(self) -> bool:
        return self._options.address != LOCAL

    async def run(self, part: Part) -> AsyncIterator[Mapping[str, Any]]:
        async with self._starting:
            if self._driver is None or self._driver.has_ended:
                self._driver = await Driver.start(self._options)
        async for record in self._driver.run(part, self._secrets):
            yield record

    async def aclose(self) -> None:
        if self._driver is not None:
            await self._driver.aclose()


class Driver:
    """Speaks with `agentic_ray.driver` in lines of JSON, each with the number of the part that it is about."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._parts: dict[int, asyncio.Queue[Mapping[str, Any]]] = {}
        self._said: deque[str] = deque(maxlen=1)
        self._count = 0
        self._tasks = [asyncio.ensure_future(self._read()), asyncio.ensure_future(self._listen())]

    @classmethod
    async def start(cls, options: RayOptions) -> "Driver":
        return cls(
            await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-P",
                    "-m",
                    "agentic_ray.driver",
                    json.dumps({name: getattr(options, name) for name in options.known}),
                ),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is the host's
                limit=MAX_RECORD,
            )
        )

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    async def run(self, part: Part, secrets: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        """Raises AgenticError where the part or the driver failed."""
        self._count += 1
        number, records = self._count, asyncio.Queue[Mapping[str, Any]]()
        self._parts[number] = records
        over = False
        try:
            await self._send({"number": number, "part": part.to_json(), "secrets": secrets})
            while not over:
                message = await records.get()
                over = "record" not in message
                if why := message.get("failed"):
                    raise AgenticError(f"Ray: {why}")
                if not over:
                    yield message["record"]
        finally:
            if not over:
                await asyncio.shield(self._cancel(number, records))
            del self._parts[number]

    async def _cancel(self, number: int, records: "asyncio.Queue[Mapping[str, Any]]") -> None:
        with suppress(AgenticError, TimeoutError):
            async with asyncio.timeout(ENDING_SECONDS):
                await self._send({"cancel": number})
                while "record" in await records.get():
                    pass

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise AgenticError(f"Ray: its driver has ended: {self._why()}") from error

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if records := self._parts.get(message["number"]):
                records.put_nowait(message)
        await self._process.wait()
        await asyncio.wait([self._tasks[1]], timeout=1.0)
        for records in self._parts.values():
            records.put_nowait({"failed": f"its driver has ended: {self._why()}"})

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._said.append(line.decode("utf-8", "replace").strip())

    async def aclose(self) -> None:
        """Ends what runs, and a cluster of its own. The end of its input, for whatever reason, does the same."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), ENDING_SECONDS)
        except TimeoutError:
            self._process.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _why(self) -> str:
        return self._said[0][-300:] if self._said else f"exit code {self._process.returncode}"
