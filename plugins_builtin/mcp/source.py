"""The servers of a run as a source of tools."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from agentic import AgenticError, Setup, Tool, ToolOutput, ToolSpec, Workspace
from agentic.events import Warned
from agentic.lib.children import Children
from plugins_builtin.mcp.connection import McpConnection
from plugins_builtin.mcp.definitions import usable

OPEN: "WeakValueDictionary[Path, Servers]" = WeakValueDictionary()
"""Those of this process by their folders: a chat's commands ask the servers that its session has."""
MAX_NAMES = 100  # characters of the servers' names in the prompt


class Servers:
    """The servers that the user has, or trusts. One is started when its tools are not known, or one of them is called."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._children = Children()
        options = setup.options
        found = usable(setup.root, options.servers)
        self.connections = {each.name: McpConnection(each, setup.root, self._children, options.start_seconds) for each in found}
        self._seconds: float = options.timeout_seconds
        OPEN[setup.root.resolve()] = self

    @property
    def about(self) -> str:
        """The names of the servers: the same for a folder and its definitions."""
        names = ", ".join(sorted(self.connections))
        return names if len(names) <= MAX_NAMES else f"{names[:MAX_NAMES]}…"

    async def open(self) -> None:
        """Asks those whose tools are not known, or were not asked for long."""
        asked = (each for each in self.connections.values() if each.manifest is None or not each.manifest.is_fresh)
        await asyncio.gather(*(self._look(each) for each in asked))

    async def _look(self, connection: McpConnection) -> None:
        """Asks one server for its tools; if it fails, that is a warning, and the others are not affected."""
        try:
            await connection.offered()
        except AgenticError as error:
            await self._warn("; ".join(filter(None, (str(error), error.remedy))))
        except Exception as error:  # whatever a foreign server makes of the SDK
            await self._warn(f"the MCP server {connection.name} cannot be used: {type(error).__name__}: {error}")
        if connection.left_out:
            what = "; ".join(f"{name} ({why})" for name, why in connection.left_out.items())
            await self._warn(f"the MCP server {connection.name} offers what cannot be used, which is left out: {what}")

    async def _warn(self, message: str) -> None:
        await self._setup.emit(Warned(message=message))

    def tools(self) -> list[Tool]:
        return [
            McpTool(connection, tool, connection.definition.timeout or self._seconds)
            for connection in self.connections.values()
            for tool in (connection.manifest.tools if connection.manifest is not None else ())
            if connection.definition.allows(str(tool["name"]))
        ]

    async def close(self) -> None:
        for each in self.connections.values():
            if each.state == "starting":
                await self._warn(f"the MCP server {each.name} had not answered by the end")
        await asyncio.gather(*(each.close() for each in self.connections.values()), return_exceptions=True)
        await self._children.aclose()


class McpTool:
    """A tool of a server, as `SERVER/TOOL`. What the server says of it is a hint, and decides nothing: a call is asked about."""

    def __init__(self, connection: McpConnection, tool: Mapping[str, Any], seconds: float) -> None:
        hint = f" ({tool['hint']})" if tool.get("hint") else ""
        self.spec = ToolSpec(
            f"{connection.name}/{tool['name']}", f"{tool['description']}{hint}", {"type": "object", **tool["parameters"]}
        )
        self._connection = connection
        self._name = str(tool["name"])
        self._seconds = seconds

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        async def progress(done: float, total: float | None, message: str | None) -> None:
            workspace.call.progress(f"{message or self._name}: {done:g}{f' of {total:g}' if total else ''}\n")

        result = await self._connection.ask(
            lambda session: session.call_tool(
                self._name, dict(arguments), read_timeout_seconds=self._seconds, progress_callback=progress
            ),
            self._name,
        )
        with suppress(AgenticError):  # the call was done all the same
            if self._connection.changed:
                await self._connection.offered()
        return ToolOutput(content_in_words(result.content, result.structured_content), failed=bool(result.is_error))


def content_in_words(content: Sequence[Any], structured: Any = None) -> str:
    """Returns a server's result as text that a model can read."""
    texts = [_part(part) for part in content]
    if not any(texts) and structured is not None:
        return json.dumps(structured, ensure_ascii=False)
    return "\n".join(filter(None, texts))


def _part(part: Any) -> str:
    if part.type == "text":
        return str(part.text)
    if part.type in ("image", "audio"):
        return f"({part.mime_type}, {len(part.data) * 3 // 4} bytes, which cannot be shown here)"
    if part.type == "resource_link":
        return f"({part.name}: {part.uri})"
    return resource(part.resource)


def resource(found: Any) -> str:
    """A resource's text, or what it is."""
    text = getattr(found, "text", None)
    return str(text) if text is not None else f"({found.uri}: {found.mime_type or 'bytes'}, which cannot be shown here)"
