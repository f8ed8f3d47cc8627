"""An HTTP/1.1 connection: bytes from the socket to the reader with one wake-up a chunk."""

import asyncio
import math
import ssl
from collections.abc import Callable
from dataclasses import field

import httptools

from agentic import EndpointUnavailable
from agentic.lib.record import record

KEEPALIVE_SECONDS = 4.0  # vLLM closes idle connections after 5 s
MAX_HEAD_BYTES = 64 * 1024
MAX_CHUNK_BYTES = 64 * 1024 * 1024
MAX_UNREAD_BYTES = 1024 * 1024
MAX_ASIDES = 16  # 1xx responses before the response


class Stale(EndpointUnavailable):
    """A kept connection had died unseen: no byte of an answer came, so the request may be sent once more."""


@record(slots=True)
class Response:
    """A response's head, and its body where it was read whole."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def _nothing(data: bytes) -> None:
    pass


class Connection(asyncio.Protocol):
    """To `origin`, one exchange at a time."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser: httptools.HttpResponseParser
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._failure: EndpointUnavailable | None = None
        self._used = False
        self.transport: asyncio.Transport
        self.response: Response | None = None
        self.heard: Callable[[bytes], None] = _nothing
        self.idle_since = math.inf
        self._deadline = math.inf
        self._due = "an answer"
        self._complete = True
        self._headers: dict[str, str] = {}
        self._keeps = True  # what the answer says of its connection
        self._overhead = 0  # bytes since the exchange began or a byte of the body came: heads, chunk sizes, trailers
        self._chunk = 0
        self._asides = 0

    @property
    def reusable(self) -> bool:
        """True if the next request may go over this connection."""
        fresh = self._loop.time() - self.idle_since < KEEPALIVE_SECONDS
        return fresh and self._complete and self._failure is None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def expect(self, due: str, deadline: float) -> None:
        """Sets what is waited for from now on, and until when (of the loop's clock)."""
        self._due, self._deadline = due, deadline
        if self._timer is not None and deadline < self._timer.when():
            self._stop_watching()
            self._watch()

    def send(self, data: bytes) -> None:
        """Begins an exchange."""
        self._used = self.response is not None
        self._parser = httptools.HttpResponseParser(self)
        self.response, self._complete, self._headers, self._keeps = None, False, {}, True
        self._overhead = self._chunk = self._asides = 0
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
        """Returns the bytes of the body that came since the last call, b"" at its end. Raises EndpointUnavailable."""
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
        if not self._complete or not self._keeps:
            self.close()
        self.idle_since, self._deadline = self._loop.time(), math.inf

    def data_received(self, data: bytes) -> None:
        self.heard(data)
        self._overhead += len(data)
        try:
            if self._complete:
                raise ValueError("bytes that nobody asked for")
            self._parser.feed_data(data)
            if self._overhead > MAX_HEAD_BYTES and not self._complete:
                raise ValueError("its head, a chunk's size or its trailers have no end")
        except (ValueError, httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            reason = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else error
            self._fail(EndpointUnavailable(f"{self.origin}: this is not HTTP ({reason})"))
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._complete and self.response is not None and self._ends_with_its_connection() and exc is None:
            self._complete = True
        elif self._failure is None:
            unseen = self._used and self.response is None and not self._overhead
            kind = Stale if unseen else EndpointUnavailable
            how = getattr(exc, "strerror", "") or exc or "closed by the server"  # without the system's number
            self._failure = kind(f"{self.origin}: the connection broke ({how})")
        self._wake()

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("bytes that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.response is None:  # trailers say nothing to us
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status // 100 == 1:  # 100 Continue and the like
            self._headers, self._asides = {}, self._asides + 1
            if self._asides > MAX_ASIDES:
                raise ValueError(f"more than {MAX_ASIDES} answers before the answer")
            return
        if not self._parser.get_http_version().startswith("1."):
            raise ValueError(f"HTTP/{self._parser.get_http_version()}")
        self.response, self._keeps = Response(status, self._headers), self._parser.should_keep_alive()
        self._overhead = 0

    def on_chunk_header(self) -> None:
        self._chunk = 0

    def on_body(self, data: bytes) -> None:
        self._unread.append(data)
        self._unread_bytes += len(data)
        self._overhead = 0
        self._chunk += len(data)
        if self._chunk > MAX_CHUNK_BYTES and self._is_chunked():
            raise ValueError(f"a chunk of more than {MAX_CHUNK_BYTES} bytes")

    def on_message_complete(self) -> None:
        self._complete = self.response is not None

    def _is_chunked(self) -> bool:
        return self._headers.get("transfer-encoding", "").lower().endswith("chunked")

    def _ends_with_its_connection(self) -> bool:
        return not self._is_chunked() and "content-length" not in self._headers

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
        """A timer for an exchange, not one for each chunk: it moves on by itself when the deadline has moved on."""
        self._timer = None
        if self._loop.time() >= self._deadline:
            self._fail(EndpointUnavailable(f"{self.origin}: kept silent while {self._due} was due"))
        elif self._deadline < math.inf:
            self._timer = self._loop.call_at(self._deadline, self._watch)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
