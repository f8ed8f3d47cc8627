"""A server that is a command: what it says and hears are lines of JSON."""

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
from agentic.lib.children import Children
from agentic.lib.children.talk import MAX_MESSAGE, ended, talking


@asynccontextmanager
async def speaking(
    children: Children, command: Sequence[str], env: Mapping[str, str], folder: Path, errors: int
) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of a server that is started for it, as `mcp.ClientSession` wants them. `errors` gets what it writes there."""
    to_session, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    async with talking(children, command, env, folder, errors) as talk:
        tasks = [
            asyncio.ensure_future(_hear(talk.reader, to_session, errors)),
            asyncio.ensure_future(_say(talk.writer, from_session)),
        ]
        try:
            yield read, write
        except Exception as error:
            await asyncio.shield(ended(talk.child))
            if talk.child.fault:
                raise ToolError(talk.child.fault) from error
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (read, write, to_session, from_session):
                stream.close()


async def _hear(reader: asyncio.StreamReader, to_session: Any, errors: int) -> None:
    """Until the server says no more: then whatever waits for an answer is told so."""
    async with to_session:
        while line := await _line(reader, errors):
            try:
                item: Any = SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
            except ValueError:  # a server that prints what is no message is borne
                continue
            try:
                await to_session.send(item)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return


async def _line(reader: asyncio.StreamReader, errors: int) -> bytes:
    """b"" at the end, also where a line is longer than a message may be, which is told among its errors."""
    try:
        return await reader.readline()
    except ValueError:
        os.write(errors, f"\na message of more than {MAX_MESSAGE >> 20} MB\n".encode())
        return b""


async def _say(writer: asyncio.StreamWriter, from_session: Any) -> None:
    with suppress(ConnectionError):
        async for message in from_session:
            writer.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await writer.drain()
