"""HTTP/1.1 for a client that streams: a pool of connections.

A general client costs twice as much CPU a chunk (benchmarks/streaming.py) and 60 ms of imports; a server on the same machine needs
both. A connection that is released before its answer has ended is closed, which is how vLLM is told to abort.
"""

import asyncio
import base64
import math
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from agentic import EndpointUnavailable
from agentic.errors import Unreachable
from plugins_builtin.vllm.connection import Connection, Response, Stale
from plugins_builtin.vllm.request_log import RequestLog
from plugins_builtin.vllm.unreachable import tls_context, why_unreachable

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_REDIRECTS = 3
_REDIRECTS = {301, 302, 307, 308}


class Http:
    """A pool of connections. `headers_of` a URL go with every request to its own origin, not along a redirect to another."""

    def __init__(
        self,
        headers_of: Callable[[str], Mapping[str, str]],
        connect_timeout: float,
        proxy: str = "",
        follow_redirects: bool = False,
        ca_file: str = "",
    ) -> None:
        self._ca_file = ca_file
        self._headers_of = headers_of
        self._connect_timeout = connect_timeout
        self._proxy = urlsplit(proxy) if proxy else None
        self._follow = follow_redirects
        self._idle: dict[str, list[Connection]] = {}
        self._all: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None
        self.log: RequestLog | None = None

    async def open(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        deadline: float = math.inf,
        due: str = "an answer",
    ) -> Connection:
        """The connection over which the answer comes, its head received. `release` it. Raises EndpointUnavailable."""
        first = own = self._headers_of(url)
        for _ in range(MAX_REDIRECTS + 1):
            connection = await self._exchange(method, url, body, {**own, **(headers or {})}, deadline, due)
            response = await connection.head()
            target = urljoin(url, response.headers.get("location", ""))
            if not self._follow or response.status not in _REDIRECTS or target == url:
                return connection
            self.release(connection)
            own = first if origin(split(target)) == origin(split(url)) else {}
            url = target
        raise EndpointUnavailable(f"{url}: it redirects again and again")

    async def fetch(self, method: str, url: str, body: bytes = b"", seconds: float = math.inf) -> Response:
        """A whole response, its body cut to MAX_BODY_BYTES. Raises EndpointUnavailable."""
        headers = {"content-type": "application/json"} if body else {}
        connection = await self.open(method, url, body, headers, asyncio.get_running_loop().time() + seconds)
        try:
            return await self.whole(connection, MAX_BODY_BYTES)
        finally:
            self.release(connection)

    async def whole(self, connection: Connection, most: int) -> Response:
        """The response whose head has come, with its body cut to about `most` bytes."""
        response = await connection.head()
        while len(response.body) < most and (data := await connection.read()):
            response.body += data
        return response

    async def survives_idle(self, url: str, seconds: float) -> bool:
        """True if the server leaves a connection open on which nothing happens for so long. Raises EndpointUnavailable."""
        connection = await self._exchange("GET", url, b"", self._headers_of(url), math.inf, "an answer")
        try:
            await self.whole(connection, MAX_BODY_BYTES)
            await asyncio.sleep(seconds)
            return not connection.transport.is_closing()
        finally:
            connection.close()
            self._all.discard(connection)

    def release(self, connection: Connection) -> None:
        connection.finish()
        if connection.reusable:
            self._idle.setdefault(connection.origin, []).append(connection)
        else:
            self._all.discard(connection)

    async def aclose(self) -> None:
        """Closes all connections."""
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._idle.clear()
        if self.log is not None:
            self.log.close()
        await asyncio.sleep(0)  # the transports close in the loop's next turn

    async def _exchange(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], deadline: float, due: str
    ) -> Connection:
        """Sends. Once more on a fresh connection where a kept one had died unseen."""
        parts = split(url)
        head = self._head(method, parts, len(body), headers)
        if (kept := self._idle_connection(origin(parts))) is not None:
            try:
                return await self._send(kept, head + body, deadline, due)
            except Stale as stale:
                try:
                    fresh = await self._connect(parts, deadline)
                except Unreachable as error:  # it may have been alive, and have ended over this very request
                    raise EndpointUnavailable(f"{stale}; by now {str(error).removeprefix(f'{origin(parts)}: ')}") from error
                return await self._send(fresh, head + body, deadline, due)
        return await self._send(await self._connect(parts, deadline), head + body, deadline, due)

    async def _send(self, connection: Connection, data: bytes, deadline: float, due: str) -> Connection:
        connection.expect(due, deadline)
        if self.log is not None:
            connection.heard = partial(self.log.write, number := self.log.begin(), "from", connection.origin)
            self.log.write(number, "to", connection.origin, data)
        connection.send(data)
        try:
            await connection.head()
        except BaseException:
            connection.close()
            self._all.discard(connection)
            raise
        return connection

    def _head(self, method: str, parts: SplitResult, length: int, headers: Mapping[str, str]) -> bytes:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if self._proxy is not None and parts.scheme == "http":
            target = origin(parts) + target
            headers = {**headers, **_proxy_authorization(self._proxy)}
        every = {"Host": _address(parts), "Accept-Encoding": "identity", "Content-Length": str(length), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in every.items())
        if "\r" in target or any(mark in f"{name}{value}" for name, value in every.items() for mark in "\r\n"):
            raise EndpointUnavailable(f"{origin(parts)}: not a usable address, key or header: it holds a line break")
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()

    def _idle_connection(self, origin: str) -> Connection | None:
        while kept := self._idle.get(origin):
            connection = kept.pop()
            if connection.reusable:
                return connection
            connection.close()
            self._all.discard(connection)
        return None

    async def _connect(self, parts: SplitResult, deadline: float) -> Connection:
        there, via = origin(parts), self._proxy or parts
        context = self._context() if via.scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + self._connect_timeout)):
                _, connection = await loop.create_connection(lambda: Connection(there), via.hostname or "", _port(via), ssl=context)
                if self._proxy is not None and parts.scheme == "https":
                    await self._tunnel(connection, parts)
        except (TimeoutError, OSError, UnicodeError) as error:
            cause, remedy = why_unreachable(error, via, context is not None)
            raise Unreachable(f"{there}: {cause}", remedy) from error
        self._all.add(connection)
        return connection

    async def _tunnel(self, connection: Connection, parts: SplitResult) -> None:
        assert self._proxy is not None and parts.hostname is not None
        address = f"{parts.hostname}:{_port(parts)}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in _proxy_authorization(self._proxy).items())
        connection.send(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{lines}\r\n".encode())
        response = await connection.head()
        if response.status != 200:
            raise EndpointUnavailable(f"{self._proxy.hostname}: the proxy answers {response.status} to CONNECT {address}")
        await connection.switch_to_tls(self._context(), parts.hostname)

    def _context(self) -> ssl.SSLContext:
        """Certificates are loaded (180 ms) only where TLS is used. Raises ConfigError for a file that is none."""
        if self._tls is None:
            self._tls = tls_context(self._ca_file)
        return self._tls


def split(url: str) -> SplitResult:
    """Raises EndpointUnavailable for what is no http(s) address."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and _port(parts):
            return parts
    except ValueError:
        pass
    raise EndpointUnavailable(f"{url}: not a usable address", "an endpoint is http://HOST:PORT/v1")


def origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{_address(parts)}"


def _address(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
