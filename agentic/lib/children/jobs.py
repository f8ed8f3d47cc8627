"""Commands in the background of a session: a server that stays up over turns, a build that takes its time."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress

from agentic.lib.children import Child
from agentic.lib.children.pipe import reading

DRAIN_SECONDS = 1.0  # how long a pipe is read that somebody else still holds
MAX_BYTES = 64_000  # of what a job gave out that are kept


class Job:
    """A command that runs until it ends, is ended, or the session ends. `code` is its exit code, None while it runs;
    `child` the process, None until it has begun."""

    def __init__(self, number: int, command: str) -> None:
        self.number = number
        self.command = command
        self.code: int | None = None
        self.was_told = False  # that it ended
        self.ended = asyncio.Event()
        self.child: Child | None = None
        self._began = time.monotonic()
        self._kept = bytearray()  # the last of its output
        self._total = self._read_to = 0

    @property
    def state(self) -> str:
        """In a few words."""
        seconds = time.monotonic() - self._began
        return f"running for {seconds:.0f} s" if self.code is None else f"ended with exit code {self.code}"

    def read(self) -> str:
        """Returns the job's output since the last read."""
        new, self._read_to = self._total - self._read_to, self._total
        return self.last(new)

    def last(self, count: int = MAX_BYTES) -> str:
        """The last so many bytes of its output, as far as they are kept."""
        left_out = f"(… {count - len(self._kept)} bytes left out …)\n" if len(self._kept) < count <= self._total else ""
        return left_out + self._kept[max(0, len(self._kept) - count) :].decode("utf-8", "replace")

    def take(self, chunk: bytes) -> None:
        """More of its output; the oldest goes where there is too much."""
        self._total += len(chunk)
        self._kept += chunk
        del self._kept[:-MAX_BYTES]

    async def run(self, start: Callable[[int], Awaitable[Child]], begun: "asyncio.Future[None]") -> None:
        """From its start to its end; `begun` is over once it runs, with the error where it could not be started."""
        with ExitStack() as stack:
            write_end, closed = stack.enter_context(reading(self.take))
            try:
                self.child = await start(write_end)
                begun.set_result(None)
            except Exception as error:
                begun.set_exception(error)
                return
            finally:
                os.close(write_end)
            self._began = time.monotonic()
            self.code = await self.child.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), DRAIN_SECONDS)
            self.ended.set()

    async def end(self) -> None:
        """Ends it and all that it started. Harmless where it ended already."""
        if self.child is not None and self.code is None:
            self.code = await self.child.end()


class Jobs:
    """The jobs of one session, by number."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, command: str, start: Callable[[int], Awaitable[Child]]) -> Job:
        """Starts a command; `start` gets the descriptor that its output goes to. Raises what it raises."""
        job = Job(len(self._jobs) + 1, command)
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(job.run(start, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await begun
        self._jobs[job.number] = job
        return job

    def get(self, number: int) -> Job | None:
        return self._jobs.get(number)

    def all(self) -> list[Job]:
        return list(self._jobs.values())

    def running(self) -> frozenset[int]:
        """The numbers of those that have not ended."""
        return frozenset(job.number for job in self._jobs.values() if job.code is None)

    def news(self) -> str:
        """Which ended since this was asked last, for the model; "" for none."""
        ended = [job for job in self._jobs.values() if job.code is not None and not job.was_told]
        for job in ended:
            job.was_told = True
        return "\n".join(f"(Job {job.number}, `{job.command}`, ended with exit code {job.code}.)" for job in ended)

    async def aclose(self) -> None:
        """Ends what still runs."""
        await asyncio.gather(*(job.end() for job in self._jobs.values()), return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
