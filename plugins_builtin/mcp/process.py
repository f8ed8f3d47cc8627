"""A server that is a command: what it says and hears are lines of JSON. It ends with us, also when we are killed."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import mcp_types
from mcp.shared.message import SessionMessage

from agentic import ToolError
from agentic.children import Child, Children

MAX_LINE = 64 * 1024 * 1024
ENDING_SECONDS = 0.5  # for a server to end by itself, once nobody speaks to it any more
KEPT = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")


@asynccontextmanager
async def speaking(
    children: Children, command: Sequence[str], env: Mapping[str, str], folder: Path, errors: int
) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of a server that is started for it, as `mcp.ClientSession` wants them. `errors` gets what it writes there."""
    hears, to_child = os.pipe()
    from_child, says = os.pipe()
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | dict(env)
    try:
        child = await children.start(command, folder, environment, says, talk=(hears, errors))
    finally:
        os.close(hears)
        os.close(says)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_child, "rb", buffering=0))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(to_child, "wb", buffering=0))
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    to_session, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [asyncio.ensure_future(_hear(reader, to_session)), asyncio.ensure_future(_say(writer, from_session))]
    try:
        yield read, write
    except Exception as error:
        await asyncio.shield(_ended(child))
        if child.fault:
            raise ToolError(child.fault) from error
        raise
    finally:
        writer.close()
        await asyncio.shield(_ended(child))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (read, write, to_session, from_session):
            stream.close()


async def _hear(reader: asyncio.StreamReader, to_session: Any) -> None:
    """Until the server says no more: then whatever waits for an answer is told so."""
    async with to_session:
        while line := await _line(reader):
            try:
                item: Any = SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
            except ValueError:  # a server that prints what is no message is borne
                continue
            try:
                await to_session.send(item)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return


async def _line(reader: asyncio.StreamReader) -> bytes:
    """b"" at the end, also where a line is longer than any message."""
    try:
        return await reader.readline()
    except ValueError:
        return b""


async def _say(writer: asyncio.StreamWriter, from_session: Any) -> None:
    with suppress(ConnectionError):
        async for message in from_session:
            writer.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await writer.drain()


async def _ended(child: Child) -> None:
    try:
        await asyncio.wait_for(child.wait(), ENDING_SECONDS)
    except TimeoutError:
        await child.end()
