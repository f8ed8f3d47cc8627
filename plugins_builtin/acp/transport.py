"""Messages on the standard streams, a line of JSON each; nothing else gets among them, and junk ends nothing."""

import asyncio
import json
import os
import sys
import threading
from typing import Any

from acp import RequestError


class Streams:
    """To be made on the running loop. What anything prints goes to the standard error from then on."""

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._writing = asyncio.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._in:
                if line.strip():
                    self._put(line)
        finally:
            self._put(None)

    def _put(self, line: bytes | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
        except RuntimeError:  # the loop is closed: nobody reads any more
            return

    async def receive(self) -> dict[str, Any] | None:
        """The next message, None at the end. A line that is none is answered with an error."""
        while (line := await self._lines.get()) is not None:
            try:
                message = json.loads(line)
                error = RequestError.invalid_request()
            except (ValueError, RecursionError):
                message, error = None, RequestError.parse_error()
            if isinstance(message, dict):
                return message
            await self.send({"jsonrpc": "2.0", "id": None, "error": error.to_error_obj()})
        return None

    async def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n"
        async with self._writing:
            await asyncio.shield(asyncio.to_thread(self._write, data))

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._out.flush()

    async def close(self) -> None:
        """The editor closes the streams."""
