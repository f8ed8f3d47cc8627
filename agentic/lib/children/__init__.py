"""Commands as children of ours: started in a few milliseconds, confined as a launcher says, and gone when they or we end."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentic.errors import ToolError

_PROGRAM = Path(__file__).parent / "keeper.py"
_LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # without which some Pythons do not start
_QUIET = {"PATH": os.defpath, "LANG": "C.UTF-8"}


class Child:
    """A command that runs. `wait` gives its exit code, negative for a signal, once nothing of it is left.

    `has_network` is false where a sandbox holds it without.
    """

    def __init__(self, children: "Children", number: int) -> None:
        self._children = children
        self._number = number
        self.fault = ""
        self.has_network = True
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    async def end(self) -> int:
        """TERM, and two seconds later KILL, for all that it started; its exit code. Harmless where it ended already."""
        self._children.tell({"end": self._number})
        return await self.wait()


class Children:
    """The commands of one session. The keeper is started with the first command and ends with us, also when we are killed."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._link: socket.socket | None = None
        self._running: dict[int, Child] = {}
        self._number = 0
        self._rest = b""
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Starts the keeper, where it does not run."""
        async with self._opening:
            if self._link is not None:
                return
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", str(_PROGRAM), *filter(None, sys.path)),
                    stdin=theirs.fileno(),
                    env=_QUIET | {name: os.environ[name] for name in _LIBRARIES if name in os.environ},
                    cwd="/",
                    start_new_session=True,
                )
            ours.setblocking(False)
            self._link = ours
            asyncio.get_running_loop().add_reader(ours, self._read)

    async def start(
        self,
        argv: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        output: int,
        confine: str = "",
        arguments: Mapping[str, Any] | None = None,
        inputs: Mapping[str, bytes] | None = None,
        limits: Mapping[str, int] | None = None,
        talk: tuple[int, int] | None = None,
    ) -> Child:
        """Starts a command whose outputs both go to the descriptor `output`, which stays the caller's.

        With `talk`, descriptors that stay the caller's too, it reads from the first, and its errors go to the second.

        `confine` "module:function" is called with `arguments` in the child; `inputs` are files for it, of which the number stands
        where argv has `{name}`; `limits` are named as in `resource`.
        """
        await self.open()
        self._number += 1
        child = self._running[self._number] = Child(self, self._number)
        names, files = list(inputs or {}), [_file_of(data) for data in (inputs or {}).values()]
        request = {
            "id": self._number,
            "argv": list(argv),
            "folder": str(folder),
            "environment": dict(environment),
            "confine": confine,
            "arguments": dict(arguments or {}),
            "names": names,
            "files": len(files) + len(talk or ()),
            "talks": talk is not None,
            "limits": dict(limits or {}),
        }
        try:
            await self._send(request, [output, *(talk or ()), *files])
        finally:
            for descriptor in files:
                os.close(descriptor)
        return child

    async def _send(self, request: Mapping[str, Any], files: Sequence[int]) -> None:
        """The descriptors travel with the first byte."""
        assert self._link is not None
        data = json.dumps(request).encode("utf-8", "surrogateescape") + b"\n"
        try:
            sent = socket.send_fds(self._link, [data], files)
            if sent < len(data):
                await asyncio.get_running_loop().sock_sendall(self._link, data[sent:])
        except OSError as error:
            self._lost()
            raise ToolError(f"the command could not be started: {error.strerror}") from error

    async def remove_at_end(self, folder: Path) -> None:
        """Has the keeper take the folder away once nothing runs any more: when this is closed, or we are killed."""
        await self.open()
        self.tell({"remove": str(folder)})

    def tell(self, message: Mapping[str, Any]) -> None:
        """A short message to the keeper."""
        with suppress(OSError):
            if self._link is not None:
                self._link.sendall(json.dumps(message).encode() + b"\n")

    def _read(self) -> None:
        assert self._link is not None
        try:
            data = self._link.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            child = self._running.pop(answer["id"], None)
            if child is not None and not child.ended.done():
                child.fault = answer.get("fault", "")
                child.ended.set_result(answer["code"])

    def _lost(self) -> None:
        """The keeper is gone, and with it what it kept."""
        if self._link is not None:
            asyncio.get_running_loop().remove_reader(self._link)
            self._link.close()
            self._link = None
        for child in self._running.values():
            if not child.ended.done():
                child.fault = "it was ended from outside"
                child.ended.set_result(-9)
        self._running.clear()

    async def aclose(self) -> None:
        """Ends what still runs."""
        self._lost()
        if self._process is not None:
            await self._process.wait()
            self._process = None


def _file_of(data: bytes) -> int:
    """An open file that holds the bytes and has no name."""
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        return os.dup(file.fileno())
