"""A server, as long as somebody speaks to it: started when it is needed, and again after it died."""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from agentic import AgenticError, ConfigError, ToolError, __version__
from agentic.extras import pip_install
from agentic.lib.children import Children
from agentic.lib.threads import on_daemon_thread
from plugins_builtin.mcp.definitions import Definition
from plugins_builtin.mcp.manifests import Manifest, keep, read_manifest

if TYPE_CHECKING:
    from mcp import ClientSession

PAGES = 100  # of one list: a server that has ever one more is not believed
CLOSED, TIMED_OUT = -32000, -32001
logging.getLogger("mcp").addHandler(logging.NullHandler())  # what goes wrong is told in one line
logging.getLogger("mcp").propagate = False
MAX_SAID = 500  # characters of what a server wrote to its error output before it died


class McpConnection:
    """To one server. `manifest` is what it offers, from an earlier time until it is spoken to; `state` is for people."""

    def __init__(
        self,
        definition: Definition,
        root: Path,
        children: Children,
        start_seconds: float,
        login: Any = None,
    ) -> None:
        self.definition = definition
        self.digest = definition.digest(root)
        self.manifest = read_manifest(self.digest)
        self.state = "not started"
        self.changed = False  # whether the server said that it offers something else now
        self.left_out: dict[str, str] = {}  # of what it lists, what is no tool, prompt or resource, and why
        self._root = root
        self._children = children
        self._seconds = start_seconds
        self._login = login
        self._task: asyncio.Task[None] | None = None
        self._session: ClientSession | None = None
        self._opening = asyncio.Lock()
        self._over = asyncio.Event()
        self._said = ""  # the end of what it wrote to its error output
        self._status = 0  # of the last answer over HTTP

    @property
    def name(self) -> str:
        return self.definition.name

    async def offered(self) -> Manifest:
        """Returns what the server offers now. Raises ToolError where it cannot be spoken to."""
        session = await self._open()
        if self.changed or self.manifest is None or not self.manifest.is_fresh:
            self.changed = False
            self.left_out.clear()
            try:
                self.manifest = await self._ask_for_manifest(session)
            except AgenticError:
                raise
            except Exception as error:  # whatever a foreign list makes of the SDK
                why = f"the MCP server {self.name} cannot be used: its lists cannot be read ({str(error)[:MAX_SAID]})"
                raise ToolError(why, f"agentic mcp test {self.name} tries it") from error
            keep(self.digest, self.manifest)
        return self.manifest

    async def ask(self, question: Callable[[Any], Awaitable[Any]], what: str) -> Any:
        """Returns the result of `question(session)`. Raises ToolError that names the server, and what to do about it."""
        session = await self._open()
        from mcp import MCPError

        try:
            return await question(session)
        except MCPError as error:
            if error.code == CLOSED or self._task is None or self._task.done():
                await self.close()
                why = f" ({self._said})" if self._said else ""
                raise ToolError(f"the MCP server {self.name} ended during {what}{why}; the next call starts it again") from error
            why = "it took too long" if error.code == TIMED_OUT else error.message
            raise ToolError(f"{self.name}: {what} failed: {why}") from error
        except (ValueError, RuntimeError) as error:  # what is no answer of the protocol's
            raise ToolError(f"{self.name}: {what} failed: {' '.join(str(error).split())[:MAX_SAID]}") from error

    async def _open(self) -> Any:
        async with self._opening:
            if self._session is None or self._task is None or self._task.done():
                await self.close()
                self._over = asyncio.Event()
                ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                self._task = asyncio.ensure_future(self._run(ready))
                self.state = "starting"
                self._session = await self._started(ready)
                self.state = "running"
            return self._session

    async def _started(self, ready: "asyncio.Future[Any]") -> Any:
        try:
            return await asyncio.wait_for(ready, self._seconds)
        except TimeoutError as error:
            failure = ToolError(f"the MCP server {self.name} did not start within {self._seconds:g} s")
            await self._gave_up(failure)
            raise failure from error
        except AgenticError as error:
            await self._gave_up(error)
            raise

    async def _gave_up(self, error: AgenticError) -> None:
        await self.close()
        self.state = str(error)

    async def _run(self, ready: "asyncio.Future[Any]") -> None:
        """Holds the session: what enters a context of the SDK's leaves it in the same task."""
        try:
            listing = await _imported("plugins_builtin.mcp.listing")
            async with self._streams() as (read, write), listing.without_bad(read, self.left_out) as messages:
                mcp = import_module("mcp")
                async with mcp.ClientSession(
                    messages,
                    write,
                    message_handler=self._heard,
                    client_info=import_module("mcp_types").Implementation(name="agentic", version=__version__),
                ) as session:
                    await session.initialize()
                    ready.set_result(session)
                    await self._over.wait()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if not ready.done():
                ready.set_exception(self._why(error))
                ready.exception()  # it is raised where somebody waits
        finally:
            self._session = None

    @asynccontextmanager
    async def _streams(self) -> AsyncIterator[Any]:
        definition = self.definition.expanded()
        if definition.url:
            http = await _imported("plugins_builtin.mcp.http")
            auth = http.auth_of(definition, self._login)
            async with http.speaking(definition, auth, self._answered) as streams:
                yield streams
            return
        process = await _imported("plugins_builtin.mcp.process")
        with tempfile.TemporaryFile() as errors:
            try:
                folder = self._root / definition.cwd
                started = process.speaking(self._children, definition.command, definition.env, folder, errors.fileno())
                async with started as streams:
                    yield streams
            finally:
                self._said = _end_of(errors)

    def _answered(self, status: int) -> None:
        self._status = status

    def _why(self, error: BaseException) -> ToolError:
        """Returns the error as a ToolError that says what the user can do about it."""
        while isinstance(error, BaseExceptionGroup) and error.exceptions:
            error = error.exceptions[0]
        if isinstance(error, AgenticError):
            return ToolError(f"the MCP server {self.name} cannot be used: {error}", error.remedy)
        if self._status in (401, 403):
            why = f"the MCP server {self.name} wants a login (HTTP {self._status})"
            return ToolError(why, f"agentic mcp login {self.name}, or a header with a token in its definition")
        why = (f"HTTP {self._status}" if self._status >= 400 else "") or self._said or str(error) or type(error).__name__
        return ToolError(f"the MCP server {self.name} cannot be used: {why}", f"agentic mcp test {self.name} tries it")

    async def _heard(self, message: Any) -> None:
        if str(getattr(message, "method", "")).endswith("list_changed"):
            self.changed = True

    async def _ask_for_manifest(self, session: Any) -> Manifest:
        tools = await _every(session.list_tools, "tools")
        prompts = await _every(session.list_prompts, "prompts")
        resources = await _every(session.list_resources, "resources")
        return Manifest(
            time.time(),
            [_tool(each) for each in tools if getattr(each.execution, "task_support", None) != "required"],
            [_prompt(each) for each in prompts],
            [{"uri": str(each.uri), "name": each.name} for each in resources],
        )

    async def close(self) -> None:
        """Ends it, and what it started. Harmless where it does not run."""
        self._over.set()
        task, self._task, self._session = self._task, None, None
        if task is not None:
            if self.state == "starting":  # it never said that it is there
                task.cancel()
            done, _ = await asyncio.wait([task], timeout=3.0)
            if not done:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
        if self.state in ("running", "starting"):
            self.state = "not started"


def _end_of(errors: IO[bytes]) -> str:
    errors.seek(0)
    text = errors.read(1_000_000).decode("utf-8", "replace").strip()
    return " / ".join(text.splitlines()[-3:])[-MAX_SAID:]


def sdk(module: str) -> Any:
    """Imports one of our modules that need the SDK. Raises ConfigError where that is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError("the MCP SDK is not installed", pip_install("mcp")) from error


async def _imported(module: str) -> Any:
    """The SDK takes most of a second: meanwhile the loop goes on. Raises ConfigError."""
    return await on_daemon_thread(lambda: sdk(module))


async def _every(list_some: Callable[..., Awaitable[Any]], field: str) -> list[Any]:
    """All pages; nothing where the server knows no such list."""
    from mcp import MCPError
    from mcp_types import PaginatedRequestParams

    found: list[Any] = []
    cursor = None
    for _ in range(PAGES):
        try:
            page = await list_some(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        except MCPError as error:
            if error.code in (CLOSED, TIMED_OUT):
                raise ToolError(error.message) from error
            break
        found += getattr(page, field)
        cursor = page.next_cursor
        if not cursor:
            break
    return found


def _tool(tool: Any) -> dict[str, Any]:
    hints = tool.annotations
    hint = "reads only, it says" if hints is not None and hints.read_only_hint else ""
    if hints is not None and hints.destructive_hint and not hint:
        hint = "destroys, it says"
    description = tool.description or tool.title or ""
    return {"name": tool.name, "description": description, "parameters": dict(tool.input_schema), "hint": hint}


def _prompt(prompt: Any) -> dict[str, Any]:
    arguments = [{"name": each.name, "required": bool(each.required)} for each in prompt.arguments or ()]
    return {"name": prompt.name, "description": prompt.description or prompt.title or "", "arguments": arguments}
