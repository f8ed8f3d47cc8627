"""A server over streamable HTTP, with OAuth where the user has logged in to it."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from agentic import ToolError
from agentic.folders import state_folder
from agentic.lib.children.talk import MAX_MESSAGE
from agentic.lib.files import read_regular, replace_file
from plugins_builtin.mcp.definitions import Definition

MAX_BYTES = 1_000_000
SECONDS, READ_SECONDS = 30.0, 600.0


@asynccontextmanager
async def speaking(
    definition: Definition, auth: httpx2.Auth | None, answered: Callable[[int], None]
) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of the server, as `mcp.ClientSession` wants them; `answered` gets the status of each answer."""

    async def look(response: httpx2.Response) -> None:
        answered(response.status_code)

    timeout = httpx2.Timeout(SECONDS, read=READ_SECONDS)
    hooks = {"response": [look, _bound]}
    async with (
        httpx2.AsyncClient(headers=dict(definition.headers), auth=auth, timeout=timeout, event_hooks=hooks) as client,
        streamable_http_client(definition.url, http_client=client) as streams,
    ):
        yield streams


async def _bound(response: httpx2.Response) -> None:
    """Its answer, or each event of it, is read up to MAX_MESSAGE."""
    response.stream = _Bounded(response.stream, response.headers.get("content-type", "").startswith("text/event-stream"))


class _Bounded(httpx2.AsyncByteStream):
    """Raises httpx2.ReadError past the bound."""

    def __init__(self, stream: Any, has_events: bool) -> None:
        self._stream = stream
        self._has_events = has_events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > MAX_MESSAGE:
                raise httpx2.ReadError(f"a message of more than {MAX_MESSAGE >> 20} MB")
            if self._has_events and (b"\n\n" in piece or b"\r\n\r\n" in piece):
                size = 0
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class Tokens:
    """The tokens and client data of a login, kept where nobody but the user can read them."""

    def __init__(self, url: str) -> None:
        self._path = state_folder() / "mcp" / f"{sha256(url.encode()).hexdigest()[:40]}.json"
        self._kept = self._read()

    def __bool__(self) -> bool:
        return "tokens" in self._kept

    @property
    def ends(self) -> float | None:
        """When the access ends, in seconds since the epoch; None where nothing says so."""
        value = self._kept.get("ends")
        return float(value) if isinstance(value, int | float) else None

    async def get_tokens(self) -> OAuthToken | None:
        return OAuthToken.model_validate(self._kept["tokens"]) if "tokens" in self._kept else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._kept["tokens"] = tokens.model_dump(mode="json", exclude_none=True)
        self._kept["ends"] = time.time() + tokens.expires_in if tokens.expires_in else None
        self._write()

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return OAuthClientInformationFull.model_validate(self._kept["client"]) if "client" in self._kept else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._kept["client"] = client_info.model_dump(mode="json", exclude_none=True)
        self._write()

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(read_regular(self._path, MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self) -> None:
        replace_file(self._path, json.dumps(self._kept).encode())


def auth_of(definition: Definition, login: Any) -> httpx2.Auth | None:
    """How the server is shown who asks: as the user logged in, or by `login`, which is doing so; None for neither."""
    tokens = Tokens(definition.url)
    if login is None and not tokens:
        return None
    name = definition.name

    async def nobody(*given: Any) -> Any:
        raise ToolError(f"the login to {name} has ended", f"agentic mcp login {name}")

    metadata = OAuthClientMetadata(
        client_name="agentic", redirect_uris=[AnyUrl(login.address if login else "http://127.0.0.1:1/callback")]
    )
    provider = OAuthClientProvider(
        server_url=definition.url,
        client_metadata=metadata,
        storage=tokens,
        redirect_handler=login.show if login else nobody,
        callback_handler=login.wait if login else nobody,
    )
    provider.context.token_expiry_time = tokens.ends  # the SDK forgets it, and would ask for a new login
    return provider
