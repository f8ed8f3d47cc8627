"""Running commands: no stdin, no terminal, a time limit, and nothing left running afterwards."""

import asyncio
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agentic import LaunchPolicy, ToolOutput, ToolSetup, ToolSpec, Workspace

LEAST_BYTES = 8_000  # of an output that are kept
BYTES_A_TOKEN = 4
DRAIN_SECONDS = 1.0  # how long a pipe is read that somebody else still holds
GRACE_SECONDS = 2.0  # between TERM and KILL
_MARK = "AGENTIC_COMMAND"
_QUIET = {
    "CI": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
    "TERM": "dumb",
}


class Run:
    spec = ToolSpec(
        "run",
        "Runs a shell command.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string"},
                "timeout": {"type": "integer", "description": "seconds"},
            },
            "required": ["command"],
            "additionalProperties": False,
        },
        "execute",
        "It gives the output and the exit code; there is no input. Use it for tests, builds, linters and git, not for reading or"
        " editing files. Each command begins in the workspace's folder. A command that starts a server must end by itself: give it"
        " a timeout.",
        refinements=("timeout",),
        runs="command",
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._seconds = setup.settings.tools.command_timeout
        self._launch = setup.launch
        self._bytes = max(LEAST_BYTES, setup.result_tokens * BYTES_A_TOKEN)

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        seconds = min(self._seconds, max(1, arguments.get("timeout") or self._seconds))
        mark = secrets.token_hex(8)
        output = Output(self._bytes)
        late = False
        with _pipe_into(output) as (write_end, closed):
            process = await asyncio.create_subprocess_exec(
                *self._launch(["/bin/sh", "-c", arguments["command"]], LaunchPolicy(workspace.root, (workspace.root,))),
                cwd=workspace.root,
                env=_environment() | {_MARK: mark},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            os.close(write_end)
            try:
                async with asyncio.timeout(seconds):
                    await process.wait()
            except TimeoutError:
                late = True
            finally:
                await _end(process, mark)
            with suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), DRAIN_SECONDS)
        code = process.returncode
        last = f"(stopped after {seconds} s)" if late else f"(exit code {code})"
        return ToolOutput(f"{output.text()}{last}{output.hint()}", failed=late or code != 0, exit_code=124 if late else code)


@contextmanager
def _pipe_into(output: "Output") -> Iterator[tuple[int, asyncio.Event]]:
    """The write end of a pipe that is read into `output`, and the event of its end.

    asyncio's own pipe would make `wait` wait for whoever holds the pipe, also long after the command.
    """
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)

    def readable() -> None:
        with suppress(BlockingIOError):
            if chunk := os.read(read_end, 65536):
                output.add(chunk)
            else:
                loop.remove_reader(read_end)
                closed.set()

    loop.add_reader(read_end, readable)
    try:
        yield write_end, closed
    finally:
        loop.remove_reader(read_end)
        os.close(read_end)


def _environment() -> dict[str, str]:
    """The user's environment without what belongs to agentic, its credentials above all."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AGENTIC_")} | _QUIET


async def _end(process: asyncio.subprocess.Process, mark: str) -> None:
    """Ends the process group, and whatever left the group but still carries our mark in its environment."""
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), GRACE_SECONDS)
    _signal(process.pid, signal.SIGKILL)
    for _ in range(3):  # one that forks while we look is found the next time
        left = list(_marked(mark))
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
    await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _marked(mark: str) -> Iterator[int]:
    needle = f"{_MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if needle in (folder / "environ").read_bytes():
                yield int(folder.name)


class Output:
    """The first and the last of what came, `most` bytes together, and how many were left out between."""

    def __init__(self, most: int = LEAST_BYTES) -> None:
        self._half = most // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, chunk: bytes) -> None:
        self._total += len(chunk)
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room > 0 else chunk
        del self._tail[: -self._half]

    def text(self) -> str:
        left_out = self._total - len(self._head) - len(self._tail)
        gap = f"\n... {left_out} bytes left out ...\n".encode() if left_out else b""
        text = bytes(self._head + gap + self._tail).decode("utf-8", "replace").replace("\r\n", "\n")
        text = "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))  # a progress bar's last state
        return text if not text or text.endswith("\n") else text + "\n"

    def hint(self) -> str:
        if b"EOFError: EOF when reading a line" in self._tail or b"EOFError: EOF when reading a line" in self._head:
            return "\n(The program asked for input and there is none here. That is no mistake in the program.)"
        return ""
