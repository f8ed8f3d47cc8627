"""A command that reads one record from its standard input and answers with records, each a line of JSON."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from agentic.errors import AgenticError

MAX_RECORD = 512 * 1024 * 1024  # bytes of one line: the last one may hold a patch
ENDING_SECONDS = 2.0  # from the signal to the end of a command that is not wanted any more


async def records_of(
    command: Sequence[str], given: Mapping[str, Any], last: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Mapping[str, Any]]:
    """Yields the records of `command`, the last of which is of the type `last`. Closing it ends the command, with what it started.

    Raises AgenticError where that record does not come.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        start_new_session=True,  # Ctrl-C is the host's
        limit=MAX_RECORD,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    errors = asyncio.ensure_future(process.stderr.read())
    feeding = asyncio.ensure_future(_feed(process.stdin, json.dumps(given).encode()))
    record: Mapping[str, Any] = {}
    try:
        async for line in process.stdout:
            record = _record(line)
            yield record
        if record.get("type") != last:
            code, said = await process.wait(), (await errors).decode("utf-8", "replace").strip().splitlines()
            raise AgenticError(f"it ended without an outcome ({said[-1] if said else f'exit code {code}'})")
    finally:
        feeding.cancel()
        await _end(process)
        await asyncio.gather(errors, feeding, return_exceptions=True)


async def _feed(stdin: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(ConnectionError):  # it says itself why it ended
        stdin.write(data)
        await stdin.drain()
        stdin.close()


def _record(line: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise AgenticError(f"it said what is no record: {line[:80].decode('utf-8', 'replace')!r}")
    return record


async def _end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ENDING_SECONDS)
