"""The methods that an editor calls, by the protocol's names."""

import asyncio
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, Client, RequestError
from acp.schema import (
    AgentCapabilities,
    Implementation,
    InitializeResponse,
    ListSessionsResponse,
    LoadSessionResponse,
    McpCapabilities,
    NewSessionResponse,
    PromptCapabilities,
    PromptResponse,
    SessionCapabilities,
    SessionInfo,
    SessionListCapabilities,
    SetSessionConfigOptionResponse,
    SetSessionModeResponse,
)

from agentic import AgenticError, __version__, api
from plugins_builtin.acp.blocks import servers_of
from plugins_builtin.acp.session import EditorSession

MAX_LISTED = 200


class EditorAgent:
    """All sessions of one editor. `overrides` are settings by dotted key that hold for each of them."""

    def __init__(self, overrides: dict[str, Any]) -> None:
        self._overrides = overrides
        self._sessions: dict[str, EditorSession] = {}
        self._client: Client | None = None
        self._telling: set[asyncio.Task[None]] = set()

    def on_connect(self, conn: Client) -> None:
        self._client = conn

    async def aclose(self) -> None:
        await asyncio.gather(*(session.aclose() for session in self._sessions.values()), return_exceptions=True)

    async def initialize(
        self, protocol_version: int, client_capabilities: Any = None, client_info: Any = None, **more: Any
    ) -> InitializeResponse:
        return InitializeResponse(
            protocol_version=min(protocol_version, PROTOCOL_VERSION),
            agent_info=Implementation(name="agentic", title="agentic", version=__version__),
            agent_capabilities=AgentCapabilities(
                load_session=True,
                prompt_capabilities=PromptCapabilities(image=True, audio=False, embedded_context=True),
                mcp_capabilities=McpCapabilities(http=True, sse=False),
                session_capabilities=SessionCapabilities(list=SessionListCapabilities()),
            ),
            auth_methods=[],
        )

    async def new_session(self, cwd: str, mcp_servers: Any = None, **more: Any) -> NewSessionResponse:
        session = await self._opened(cwd, mcp_servers)
        return NewSessionResponse(session_id=session.id, modes=session.modes, config_options=session.options or None)

    async def load_session(self, cwd: str, session_id: str, mcp_servers: Any = None, **more: Any) -> LoadSessionResponse:
        if (known := self._sessions.pop(session_id, None)) is not None:
            await known.aclose()
        session = await self._opened(cwd, mcp_servers, session_id)
        for update in session.history():
            assert self._client is not None  # `on_connect` came first
            await self._client.session_update(session_id, update)
        return LoadSessionResponse(modes=session.modes, config_options=session.options or None)

    async def list_sessions(self, cwd: str | None = None, cursor: str | None = None, **more: Any) -> ListSessionsResponse:
        store = api.session_store()
        found = store.of(Path(cwd)) if cwd else store.all()
        return ListSessionsResponse(
            sessions=[
                SessionInfo(
                    session_id=each.id,
                    cwd=each.root,
                    title=each.title,
                    updated_at=datetime.fromtimestamp(each.changed, UTC).isoformat(),
                )
                for each in islice(found, MAX_LISTED)
            ]
        )

    async def set_session_mode(self, session_id: str, mode_id: str, **more: Any) -> SetSessionModeResponse:
        try:
            await self._session(session_id).set_mode(mode_id)
        except AgenticError as error:
            raise _refused(error) from error
        return SetSessionModeResponse()

    async def set_config_option(
        self, config_id: str, session_id: str, value: str | bool, **more: Any
    ) -> SetSessionConfigOptionResponse:
        session = self._session(session_id)
        if config_id != "model" or not isinstance(value, str):
            raise RequestError.invalid_params({"configId": f"there is no option {config_id!r}"})
        try:
            await session.set_model(value)
        except AgenticError as error:
            raise _refused(error) from error
        return SetSessionConfigOptionResponse(config_options=session.options)

    async def prompt(self, session_id: str, prompt: list[Any], **more: Any) -> PromptResponse:
        stopped: Any = await self._session(session_id).prompt(prompt)
        return PromptResponse(stop_reason=stopped)

    async def cancel(self, session_id: str, **more: Any) -> None:
        if session_id in self._sessions:
            await self._sessions[session_id].cancel()

    async def _opened(self, cwd: str, mcp_servers: Any, resume: str = "") -> EditorSession:
        root = Path(cwd)
        if not (root.is_absolute() and root.is_dir()):  # noqa: ASYNC240 - one look
            raise RequestError.invalid_params({"cwd": f"{cwd} is no folder with an absolute path"})
        servers = servers_of(mcp_servers)
        more = {"plugin.mcp.servers": servers} if servers else {}
        try:
            assert self._client is not None  # `on_connect` came first
            session = EditorSession(self._client, root, api.load_settings(root, self._overrides | more))
            await session.open(resume)
        except AgenticError as error:
            raise _refused(error) from error
        self._sessions[session.id] = session
        task = asyncio.ensure_future(self._tell_commands(session))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        return session

    async def _tell_commands(self, session: EditorSession) -> None:
        await asyncio.sleep(0.05)  # behind the answer: before it, an editor does not know the session
        await session.tell_commands()

    def _session(self, name: str) -> EditorSession:
        if name not in self._sessions:
            raise RequestError.resource_not_found(name)
        return self._sessions[name]


def _refused(error: AgenticError) -> RequestError:
    """With the remedy: it is all that an editor shows."""
    return RequestError(-32603, error.with_remedy, {"details": error.with_remedy})
