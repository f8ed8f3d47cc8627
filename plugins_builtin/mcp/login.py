"""Logging in to a server in the browser, which comes back to an address of this machine."""

import asyncio
import webbrowser
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mcp.client.auth import AuthorizationCodeResult

from agentic import ToolError

_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nDone: you can close this page.\n"


class Login:
    """Listens on this machine while it is open; `say` tells the user where to go."""

    seconds = 300.0  # that the user has

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._came: asyncio.Future[dict[str, list[str]]] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> "Login":
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/callback"
        return self

    async def __aexit__(self, *given: Any) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode("latin-1").split()
        target = urlsplit(line[1]) if len(line) > 1 else urlsplit("")
        if target.path == "/callback" and not self._came.done():
            self._came.set_result(parse_qs(target.query))
        writer.write(_PAGE)
        await writer.drain()
        writer.close()

    async def show(self, url: str) -> None:
        """Sends the user there."""
        self._say(f"log in at {url}")
        await asyncio.to_thread(webbrowser.open, url)

    async def wait(self) -> AuthorizationCodeResult:
        """Waits for the code that the browser brings back, and returns it. Raises ToolError."""
        try:
            found = await asyncio.wait_for(self._came, self.seconds)
        except TimeoutError as error:
            raise ToolError(f"nobody logged in within {self.seconds:g} s") from error
        if "code" not in found:
            raise ToolError(f"the login failed: {' '.join(found.get('error_description', found.get('error', ['no code came'])))}")
        first = {name: values[0] for name, values in found.items()}
        return AuthorizationCodeResult(code=first["code"], state=first.get("state"), iss=first.get("iss"))
