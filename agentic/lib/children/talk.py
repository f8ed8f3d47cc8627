"""A command that is talked with over its standard streams, as a server is."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from agentic.lib.children import Child, Children
from agentic.lib.record import record

MAX_MESSAGE = 8 << 20  # bytes; one that is longer ends the talk
ENDING_SECONDS = 0.5  # for a command to end by itself, once nobody talks to it any more
KEPT = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")


@record(frozen=True, slots=True)
class Talk:
    """`reader` has what the command says, `writer` what it hears."""

    child: Child
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@asynccontextmanager
async def talking(
    children: Children, command: Sequence[str], env: Mapping[str, str], folder: Path, errors: int
) -> AsyncIterator[Talk]:
    """Starts it with a few variables of ours and those of `env`; afterwards it is ended, with all that it started.

    `errors` is the descriptor for its error output; a longer line than MAX_MESSAGE raises ValueError in `reader`. Raises ToolError.
    """
    hears, to_child = os.pipe()
    from_child, says = os.pipe()
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | dict(env)
    try:
        child = await children.start(command, folder, environment, says, talk=(hears, errors))
    except BaseException:
        os.close(to_child)
        os.close(from_child)
        raise
    finally:
        os.close(hears)
        os.close(says)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_MESSAGE)
    source, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_child, "rb", buffering=0))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(to_child, "wb", buffering=0))
    try:
        yield Talk(child, reader, asyncio.StreamWriter(transport, protocol, None, loop))
    finally:
        transport.close()
        await asyncio.shield(ended(child))
        source.close()


async def ended(child: Child) -> int:
    """The exit code of one that nobody talks to any more."""
    try:
        return await asyncio.wait_for(child.wait(), ENDING_SECONDS)
    except TimeoutError:
        return await child.end()
