"""A run's beginning and end, which whoever shows or keeps it gets to know."""

import asyncio
from collections.abc import Awaitable

from agentic.core.runtime import Runtime
from agentic.errors import AgenticError
from agentic.events import RunFinished, RunStarted
from agentic.sessions import Session
from agentic.types import Outcome


async def announce_start(runtime: Runtime, session: Session, command: str, task: str) -> None:
    """Which model at which endpoint this is, and which session."""
    info = runtime.info
    started = RunStarted(command=command, task=task, endpoint=info.url, model=info.model)
    started.choice, started.session = runtime.choice, session.id
    await runtime.events.emit(started)


async def carry_out(runtime: Runtime, session: Session, command: str, task: str, work: Awaitable[Outcome]) -> None:
    """Does `work` between its `run_started` and its `run_finished`, which comes however it ends. Raises what it raises."""
    try:
        await announce_start(runtime, session, command, task)
    except BaseException:
        if asyncio.iscoroutine(work):
            work.close()
        raise
    try:
        outcome = await work
    except asyncio.CancelledError:
        await runtime.events.emit(RunFinished(status="interrupted", result="interrupted"))
        raise
    except AgenticError as error:
        await runtime.events.emit(RunFinished(status="failed", result=str(error)))
        raise
    finished = RunFinished(status=outcome.status, result=outcome.summary, files=outcome.files)
    finished.evidence, finished.open_questions, finished.missing = outcome.evidence, outcome.open_questions, outcome.missing
    await runtime.events.emit(finished)
