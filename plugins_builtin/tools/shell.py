"""Running commands: no stdin, no terminal, a time limit, and nothing left running afterwards."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from agentic import ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace
from agentic.lib.children import Child
from agentic.lib.children.pipe import reading
from agentic.lib.files.text import regional
from agentic.lib.patterns import late_pattern

LEAST_BYTES = 2_000  # of an output that are kept
BYTES_A_TOKEN = 4
TOKENS_OF_NOTES = 100  # what was left out, the exit code
FIRST_SECONDS = 1.0  # that a background command is watched before the model goes on
MAX_LINE = 64 * 1024  # bytes that are waited with for the end of a line
MAX_SHOWN = 4_000  # bytes of a piece that are shown while it runs
DRAIN_SECONDS = 1.0  # how long a pipe is read that somebody else still holds
_NO_HOST = late_pattern(
    r"Network is unreachable|name resolution|Name or service not known|[Cc]ould not resolve|ENETUNREACH|EAI_AGAIN"
)
_SOCKET = late_pattern(r"\b(?:socket|bind|listen|connect|Connection|server)", re.IGNORECASE)
_FORBIDDEN = late_pattern(r"Permission denied|not permitted|EACCES|EPERM")
_QUIET = (
    "CI=1",
    "PAGER=cat",
    "GIT_PAGER=cat",
    "GIT_TERMINAL_PROMPT=0",
    "DEBIAN_FRONTEND=noninteractive",
    "PYTHONDONTWRITEBYTECODE=1",
    "PYTHONUNBUFFERED=1",
    "NO_COLOR=1",
    "TERM=dumb",
)


def shell() -> str:
    """Returns the path of bash, which is what models write; where there is none, sh has to do."""
    return next((path for path in ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash") if os.access(path, os.X_OK)), "/bin/sh")


class Run:
    spec = ToolSpec(
        "run",
        "Runs a shell command.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string"},
                "timeout": {"type": "integer", "description": "seconds"},
                "background": {"type": "boolean", "description": "it goes on while you do, for a server; `job` shows its output"},
                "access": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "beyond the sandbox: network, protected (as .git), secrets (as .env), or a folder",
                },
            },
            "required": ["command"],
            "additionalProperties": False,
        },
        "execute",
        "It gives the output and the exit code; there is no input. Use it for tests, builds, linters and git, not for reading or"
        " editing files. Each command begins in the workspace's folder. A server that others are to reach runs in the background,"
        " with access to the network.",
        refinements=("timeout", "background", "access"),
        runs="command",
        access="access",
    )

    def __init__(self, setup: ToolSetup) -> None:
        if not shell().endswith("bash"):
            self.spec = replace(Run.spec, description="Runs a command of a POSIX sh, not of bash.")
        self._seconds = setup.settings.tools.command_timeout
        self._start = setup.start
        self._jobs = setup.jobs
        self._bytes = max(LEAST_BYTES, (setup.result_tokens - TOKENS_OF_NOTES) * BYTES_A_TOKEN)

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        words = ["/usr/bin/env", *_QUIET, shell(), "-c", arguments["command"]]

        def start(output: int) -> Awaitable[Child]:
            return self._start(words, workspace.root, output, workspace.call.grant)

        if arguments.get("background"):
            return await self._in_background(arguments["command"], start)
        seconds = min(self._seconds, max(1, arguments.get("timeout") or self._seconds))
        output = Output(self._bytes, workspace.call.progress)
        late = False
        with reading(output.add) as (write_end, closed):
            child = await start(write_end)
            os.close(write_end)
            try:
                async with asyncio.timeout(seconds):
                    code = await child.wait()
            except TimeoutError:
                late = True
                code = await child.end()
            except asyncio.CancelledError:
                await asyncio.shield(child.end())
                raise
            with suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), DRAIN_SECONDS)
        if child.fault:
            raise ToolError(f"the command could not be started: {child.fault}")
        last = f"(stopped after {seconds} s)" if late else f"(exit code {code})"
        text = output.text()
        hint = output.hint() or (_of_network(text, child) if code else "")
        return ToolOutput(f"{text}{last}{hint}", failed=late or code != 0, exit_code=124 if late else code)

    async def _in_background(self, command: str, start: Callable[[int], Awaitable[Child]]) -> ToolOutput:
        """Starts it; what ends within a moment is told at once."""
        job = await self._jobs.add(command, start)
        with suppress(TimeoutError):
            await asyncio.wait_for(job.ended.wait(), FIRST_SECONDS)
        job.was_told = job.code is not None
        how = f"(job {job.number}, {job.state}" + ("; `job` shows its output and stops it)" if job.code is None else ")")
        text = job.read()
        hint = _of_network(text, job.child) if job.code and job.child is not None else ""
        return ToolOutput(f"{text}{how}{hint}", failed=bool(job.code))


def _of_network(text: str, child: Child) -> str:
    """Why a server or a download ends at once, where it is the sandbox; errors say only what the system said."""
    if child.has_network or not (_NO_HOST.search(text) or (_SOCKET.search(text) and _FORBIDDEN.search(text))):
        return ""
    return '\n(The sandbox holds this command without network. To listen or connect, call it again with access ["network"].)'


class Output:
    """The first and the last of what came, `most` bytes together, and how many were left out between."""

    def __init__(self, most: int = LEAST_BYTES, show: Callable[[str], object] = str) -> None:
        self._show = show
        self._half = most // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0
        self._line = b""  # that has not ended yet

    def add(self, chunk: bytes) -> None:
        self._show(chunk[-MAX_SHOWN:].decode("utf-8", "replace"))
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            self._keep(_folded(line) + b"\n")
        if b"\r" in self._line[:-1]:  # a progress bar: what it said before is gone from a screen, too
            self._line = self._line[self._line[:-1].rindex(b"\r") + 1 :]
        if len(self._line) > MAX_LINE:
            self._keep(self._line)
            self._line = b""

    def _keep(self, data: bytes) -> None:
        self._total += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        del self._tail[: -self._half]

    def text(self) -> str:
        self._keep(_folded(self._line))
        self._line = b""
        left_out = self._total - len(self._head) - len(self._tail)
        if left_out:
            text = f"{_decoded(bytes(self._head))}\n... {left_out} bytes left out ...\n{_decoded(bytes(self._tail))}"
        else:
            text = _decoded(bytes(self._head + self._tail))
        return text if not text or text.endswith("\n") else text + "\n"

    def hint(self) -> str:
        if b"EOFError: EOF when reading a line" in self._tail or b"EOFError: EOF when reading a line" in self._head:
            return "\n(The program asked for input and there is none here. That is no mistake in the program.)"
        return ""


def _folded(line: bytes) -> bytes:
    """A line as a screen shows it at last."""
    return line.removesuffix(b"\r").rpartition(b"\r")[2]


def _decoded(data: bytes) -> str:
    """Decodes data as files are read: in the old encoding of a region where it is certainly one, else as UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        found = regional(data)
        return found.text if found else data.decode("utf-8", "replace")
