"""`agentic sub-agent`: one part of another agent's plan, from standard input; what happens goes out as records, a line each."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from agentic import AgenticError, Event, Outcome, Part, api
from agentic.commands.start import interruptible
from agentic.lib.loop import run
from agentic.trust import Trust
from plugins_builtin.sub_agents.remote import (
    Copy,
    carry_out,
    copy_of,
    open_copy,
    outcome_to_json,
    read_part,
    session_of,
    settings_of,
)


@click.command("sub-agent")
def command() -> int:
    """Does one part of a plan, read from standard input; runners start it. For example: agentic sub-agent < part.json"""
    out, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints is no record

    def tell(record: Mapping[str, Any]) -> None:
        out.write(json.dumps(record, default=str) + "\n")
        out.flush()

    try:
        part = read_part(sys.stdin.buffer.read())
        with copy_of(part) as copy:
            return run(interruptible(_work(part, copy, tell, out.fileno())))
    except AgenticError as error:
        tell(outcome_to_json(Outcome("failed", error.with_remedy)))
        return error.exit_code
    finally:
        sys.stdout = out


async def _work(part: Part, copy: Copy, tell: Any, out: int) -> int:
    settings = api.with_plugins(settings_of(part, os.environ))
    trees = await open_copy(part, copy)
    Trust(copy.root).lend(part.trusted)

    async def on_event(event: Event) -> None:
        tell(event.as_dict())

    session = session_of(part)
    try:
        with _ending_with_the_host(out):
            async with api.open_part(copy.root, settings, part, session, on_event) as (agent, prompt):
                await carry_out(agent, part, trees, prompt, tell)
    finally:
        session.close()
    return 0


@contextmanager
def _ending_with_the_host(out: int) -> Iterator[None]:
    """Cancels what runs once nobody reads the records any more, however the host ended."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    if not stat.S_ISFIFO(os.fstat(out).st_mode):
        yield
        return
    loop.add_reader(out, task.cancel)  # a pipe's writing end is only ever "readable" when its reader is gone
    try:
        yield
    finally:
        loop.remove_reader(out)
