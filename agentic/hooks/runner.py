"""The hook for runners, the places where one part of a plan runs."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from agentic.errors import AgenticError
from agentic.hooks import Provider, Setup, hookspec
from agentic.lib.record import record

Part = Mapping[str, Any]
"""A part of a plan as JSON has it: what `agentic sub-agent` reads. `docs/plugins/runner.md` names its fields."""
MAX_RECORD = 512 * 1024 * 1024  # bytes of one line: the last one holds the patch
ENDING_SECONDS = 2.0  # from the signal to the end of a command that is not wanted any more


@record(frozen=True, slots=True, kw_only=True)
class RunnerSetup(Setup):
    """`secrets` are the values of the variables that a part names under `secrets`, as far as they are known here."""

    secrets: Mapping[str, str]


class Runner(Protocol):
    @property
    def elsewhere(self) -> bool:
        """True if parts run on other machines, where this one's localhost is not to be reached."""
        ...

    def run(self, part: Part) -> AsyncIterator[Mapping[str, Any]]:
        """Has `agentic sub-agent` do the part; its records as they come, the last one of type "outcome".

        Closing the iterator ends the part, and leaves nothing behind. Raises AgenticError where it cannot be run.
        """
        ...


@hookspec
def agentic_runners() -> Iterable[Provider[Runner]]:
    """Offers places where parts run, selected by `sub_agents.runner`."""
    raise NotImplementedError


async def sub_agent(
    command: Sequence[str], part: Part, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Mapping[str, Any]]:
    """Yields the records of a part from `command`, a local `agentic sub-agent`: for runners, and for the workers that they start.

    Closing it ends the command, with what it started. Raises AgenticError where there is no outcome.
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
    feeding = asyncio.ensure_future(_feed(process.stdin, json.dumps(part).encode()))
    record: Mapping[str, Any] = {}
    try:
        async for line in process.stdout:
            record = _record(line)
            yield record
        if record.get("type") != "outcome":
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
