"""What commands that talk to a model have in common: the host, the screen, signals, and the way out."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

from agentic.cli.loop import run
from agentic.cli.options import LATEST
from agentic.config import Settings, load
from agentic.errors import AgenticError
from agentic.events import ApprovalAnswered, ApprovalAsked, RunFinished, RunStarted, Warned
from agentic.hooks.tools import CALLER
from agentic.plugins import Host
from agentic.run.approval import Ask
from agentic.run.runtime import Runtime, open_runtime, state_folder
from agentic.sessions import Session, Shelf
from agentic.types import Outcome

EXIT_CODES = {"done": 0, "refused": 4, "interrupted": 130}
_SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def load_host(settings: Settings | None = None) -> Host:
    """All plugins that this configuration allows. A broken configuration does not keep the plugins from being listed."""
    if settings is None:
        try:
            settings = load(Path.cwd())
        except AgenticError:
            return Host()
    return Host(settings["plugins.disabled"])


def renderer_name(settings: Settings, stdout: TextIO) -> str:
    """What the user chose, else rich in a terminal and plain elsewhere."""
    in_terminal = stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    name: str = settings["ui.renderer"] or ("rich" if in_terminal else "plain")
    return name


def approval_mode(settings: Settings) -> str:
    """What the user chose, else ask in a terminal and none elsewhere."""
    mode: str = settings["approval.mode"] or ("ask" if _can_ask() else "none")
    return mode


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


Work = Callable[[Runtime, Session], Awaitable[Outcome]]


def run_to_end(command: str, task: str, root: Path, settings: Settings, resume: str, work: Work) -> int:
    """Opens what the settings select and the session (see `_session_of`), does `work`, shows how it ended; the exit code.

    The first Ctrl-C (or TERM, HUP) stops the turn and keeps what came; the second one leaves at once.
    """
    from agentic.plugins.requirements import check_required

    host = load_host(settings)
    check_required(settings["plugins.require"])
    stdout, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints must not end up in the answer
    try:
        return run(interruptible(_run(command, task, root, settings, resume, host, stdout, work)))
    finally:
        sys.stdout = stdout


async def _run(command: str, task: str, root: Path, settings: Settings, resume: str, host: Host, stdout: TextIO, work: Work) -> int:
    async with opened(root, settings, resume, host, stdout) as (runtime, session):
        await tell_start(runtime, session, command, task)
        try:
            outcome = await work(runtime, session)
        except asyncio.CancelledError:
            await _finished(runtime, Outcome("interrupted", "interrupted"))
            raise
        except AgenticError as error:
            await _finished(runtime, Outcome("failed", str(error)))
            raise
        await _finished(runtime, outcome)
        return EXIT_CODES.get(outcome.status, 1)


@asynccontextmanager
async def opened(root: Path, settings: Settings, resume: str, host: Host, stdout: TextIO) -> AsyncIterator[tuple[Runtime, Session]]:
    """What the settings select, and the session (see `_session_of`). Raises AgenticError."""
    async with (
        open_runtime(settings, host, stdout, renderer_name(settings, stdout)) as runtime,
        _session_of(runtime, root, resume) as session,
    ):
        yield runtime, session


async def tell_start(runtime: Runtime, session: Session, command: str, task: str) -> None:
    """Which model at which endpoint this is, and which session."""
    info = runtime.info
    started = RunStarted(command=command, task=task, endpoint=info.url, model=info.model)
    started.choice, started.session = runtime.choice, session.id
    await runtime.events.emit(started)


@asynccontextmanager
async def _session_of(runtime: Runtime, root: Path, resume: str) -> AsyncIterator[Session]:
    """A new session for ""; else this folder's latest, or the one of that id. One in which nothing was said is not kept.

    Raises ConfigError.
    """
    shelf = Shelf(state_folder() / "sessions")
    session, notice = shelf.open(shelf.latest(root) if resume == LATEST else resume) if resume else (shelf.new(root), "")
    try:
        if notice:
            await runtime.events.emit(Warned(message=notice))
        yield session
    finally:
        empty = bool(session.id) and not session.fact("title")
        session.close()
        if empty:
            shelf.remove(session.id)


async def _finished(runtime: Runtime, outcome: Outcome) -> None:
    await runtime.events.emit(RunFinished(status=outcome.status, result=outcome.summary, files=outcome.files))


async def interruptible(session: Coroutine[Any, Any, int]) -> int:
    """The exit code, of the signal where one ended it; the first signal cancels, the second one leaves at once."""
    task = asyncio.ensure_future(session)
    async with _signals(task) as received:
        try:
            code = await task
            return _SIGNALS[received[0]] if received else code
        except asyncio.CancelledError:
            return _SIGNALS[received[0]] if received else 130


@asynccontextmanager
async def _signals(task: "asyncio.Task[int]") -> AsyncIterator[list[signal.Signals]]:
    """Signals cancel the task; a second one ends the process."""
    loop = asyncio.get_running_loop()
    received: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        if received:
            os._exit(_SIGNALS[number])
        received.append(number)
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield received
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def asker(runtime: Runtime) -> Ask | None:
    """How to ask the user; None without a terminal. Keys typed before the question was there do not answer it."""
    if not _can_ask():
        return None

    async def ask(what: str) -> bool:
        agent = CALLER.get()
        await runtime.events.emit(ApprovalAsked(what=what, agent=agent))
        _forget_typed_keys()
        print("  allow? [y/N] ", end="", file=sys.stderr, flush=True)
        answer = await _line_from_stdin()
        granted = answer.strip().lower() in ("y", "yes")
        await runtime.events.emit(ApprovalAnswered(what=what, granted=granted, agent=agent))
        return granted

    return ask


def _forget_typed_keys() -> None:
    import termios

    try:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    except termios.error:
        return


async def _line_from_stdin() -> str:
    """One line, without a thread that would hold the process when it is told to stop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(sys.stdin)
        if not future.done():
            future.set_result(os.read(sys.stdin.fileno(), 4096).decode("utf-8", "replace"))

    loop.add_reader(sys.stdin, readable)
    try:
        return await future
    finally:
        loop.remove_reader(sys.stdin)
