"""One HTTP/1.1 connection: bytes from the socket to the reader with one wake-up a chunk."""

import asyncio
import math
import ssl
from dataclasses import dataclass, field

from agentic import EndpointUnavailable

KEEPALIVE_SECONDS = 4.0  # vLLM closes idle connections after 5 s
MAX_HEAD_BYTES = 64 * 1024
MAX_CHUNK_BYTES = 64 * 1024 * 1024
MAX_UNREAD_BYTES = 1024 * 1024
MAX_ASIDES = 16  # 1xx responses before the response
_NO_BODY = {204, 304}


class Stale(EndpointUnavailable):
    """A kept connection had died unseen: no byte of an answer came, so the request may be sent once more."""


@dataclass(slots=True)
class Response:
    """A response's head, and its body where it was read whole."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Connection(asyncio.Protocol):
    """To `origin`, one exchange at a time."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rest = b""
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._failure: EndpointUnavailable | None = None
        self._used = False
        self.transport: asyncio.Transport
        self.response: Response | None = None
        self.idle_since = math.inf
        self._deadline = math.inf
        self._due = "an answer"
        self._complete = True
        self._length: int | None = None  # of the body, or of the rest of it; None: chunked, or until the connection ends
        self._chunked = False
        self._asides = 0

    @property
    def reusable(self) -> bool:
        """Whether the next request may go over this connection."""
        fresh = self._loop.time() - self.idle_since < KEEPALIVE_SECONDS
        return fresh and self._complete and self._failure is None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def expect(self, due: str, deadline: float) -> None:
        """What is waited for from now on, and until when (of the loop's clock)."""
        self._due, self._deadline = due, deadline
        if self._timer is not None and deadline < self._timer.when():
            self._stop_watching()
            self._watch()

    def send(self, data: bytes) -> None:
        """Begins an exchange."""
        self._used = self.response is not None
        self.response, self._complete, self._length, self._chunked = None, False, None, False
        self._asides = 0
        self._unread.clear()  # of an answer that nobody wanted to the end
        self._unread_bytes = 0
        self.transport.write(data)
        self._watch()

    async def head(self) -> Response:
        """The response's head. Raises EndpointUnavailable; Stale where a kept connection ended before a byte came."""
        while self.response is None:
            await self._wait()
        return self.response

    async def read(self) -> bytes:
        """What has come of the body since the last call, b"" at its end. Raises EndpointUnavailable."""
        while not self._unread:
            if self._complete:
                return b""
            await self._wait()
        data = b"".join(self._unread)
        self._unread.clear()
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self.transport.resume_reading()
        self._unread_bytes = 0
        return data

    async def switch_to_tls(self, context: ssl.SSLContext, host: str) -> None:
        """After a proxy's CONNECT."""
        upgraded = await self._loop.start_tls(self.transport, self, context, server_hostname=host)
        assert upgraded is not None
        self.transport = upgraded
        self.response = None

    def close(self) -> None:
        self._complete = True
        self._stop_watching()
        if not self.transport.is_closing():
            self.transport.abort()

    def finish(self) -> None:
        """The exchange is over: where its body has not ended, the connection goes with it."""
        self._stop_watching()
        if not self._complete or (self.response is not None and self.response.headers.get("connection", "").lower() == "close"):
            self.close()
        self.idle_since, self._deadline = self._loop.time(), math.inf

    def data_received(self, data: bytes) -> None:
        self._rest = self._rest + data if self._rest else data
        try:
            if self._complete:
                raise ValueError("bytes that nobody asked for")
            self._parse()
        except (ValueError, IndexError) as error:
            self._fail(EndpointUnavailable(f"{self.origin}: this is not HTTP ({error})"))
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._complete and self.response is not None and self._length is None and not self._chunked and exc is None:
            self._complete = True  # such a body ends with its connection
        elif self._failure is None:
            unseen = self._used and self.response is None and not self._rest
            kind = Stale if unseen else EndpointUnavailable
            self._failure = kind(f"{self.origin}: the connection broke ({exc or 'closed by the server'})")
        self._wake()

    def _parse(self) -> None:
        if self.response is None and not self._parse_head():
            return
        if self._chunked:
            self._parse_chunks()
        elif self._length is None:
            self._take(len(self._rest))
        else:
            self._length -= self._take(min(self._length, len(self._rest)))
            self._complete = self._length == 0

    def _parse_head(self) -> bool:
        end = self._rest.find(b"\r\n\r\n")
        if end < 0:
            if len(self._rest) > MAX_HEAD_BYTES:
                raise ValueError("its head has no end")
            return False
        first, *lines = self._rest[:end].decode("latin-1").split("\r\n")
        self._rest = self._rest[end + 4 :]
        version, status = first.split(" ")[:2]
        if not version.startswith("HTTP/1."):
            raise ValueError(first[:40])
        if status.startswith("1"):  # 100 Continue and the like
            self._asides += 1
            if self._asides > MAX_ASIDES:
                raise ValueError(f"more than {MAX_ASIDES} answers before the answer")
            return self._parse_head()
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.response = Response(int(status), headers)
        self._chunked = headers.get("transfer-encoding", "").lower().endswith("chunked")
        if not self._chunked and (length := headers.get("content-length")) is not None:
            self._length = int(length)
        if self.response.status in _NO_BODY:
            self._length = 0
        return True

    def _parse_chunks(self) -> None:
        while (end := self._rest.find(b"\r\n")) >= 0:
            size = int(self._rest[:end].split(b";")[0], 16)
            if size == 0:
                self._end_chunks(end)
                return
            if not 0 < size < MAX_CHUNK_BYTES:
                raise ValueError(f"a chunk of {size} bytes")
            if len(self._rest) < end + size + 4:
                return
            self._unread.append(self._rest[end + 2 : end + 2 + size])
            self._unread_bytes += size
            self._rest = self._rest[end + size + 4 :]

    def _end_chunks(self, end: int) -> None:
        """Perhaps with trailers, which say nothing to us."""
        if self._rest[end:].startswith(b"\r\n\r\n") or b"\r\n\r\n" in self._rest:
            self._rest = b""
            self._complete = True

    def _take(self, size: int) -> int:
        if size:
            self._unread.append(self._rest[:size])
            self._unread_bytes += size
            self._rest = self._rest[size:]
        return size

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._failure is not None and not self._unread and not self._complete:
            raise self._failure

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: EndpointUnavailable) -> None:
        self._failure = self._failure or failure
        self._wake()
        self.transport.abort()

    def _watch(self) -> None:
        """One timer for an exchange, not one for each chunk: it moves on by itself when the deadline has moved on."""
        self._timer = None
        if self._loop.time() >= self._deadline:
            self._fail(EndpointUnavailable(f"{self.origin}: kept silent while {self._due} was due"))
        elif self._deadline < math.inf:
            self._timer = self._loop.call_at(self._deadline, self._watch)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
