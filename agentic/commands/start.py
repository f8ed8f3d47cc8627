"""The common parts of commands that talk to a model: the screen, questions, signals, and the way out."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from agentic.api import Ask, Screen, check_rule
from agentic.config import Settings
from agentic.errors import AgenticError
from agentic.events import Event, RunFinished
from agentic.lib.guard import FAULTS, PluginFault
from agentic.lib.imports import imported
from agentic.lib.isolation import describe
from agentic.lib.loop import run
from agentic.lib.palette import Palette, palette_for
from agentic.plugins import host_of

if TYPE_CHECKING:
    from agentic.lib.terminal.background import Background

EXIT_CODES = {"done": 0, "unchecked": 0, "refused": 4, "interrupted": 130}
READING_SECONDS = 2.0
LEAVING_SECONDS = 5.0  # for commands and servers to end, and for what is left to be written
STUCK_SECONDS = 0.8  # what is kept is on the disk by then: a loop that hears no signal is not waited for
_SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def screen_of(settings: Settings, stdout: TextIO) -> Screen:
    """Returns the screen: with the renderer that the user chose, else the default in a terminal, and its stand-in elsewhere."""
    host, hook = host_of(settings), "agentic_renderers"
    in_terminal = stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    name = settings.ui.renderer or (host.default(hook) if in_terminal else host.stand_in(hook))
    return Screen(name, stdout, _confirm, palette_of(settings, stdout))


def _confirm(question: str) -> bool:
    """No, where nobody can be asked."""
    if not can_ask():
        return False
    from agentic.lib.terminal.asking import agreed

    return agreed(question)


def can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def prepared(root: Path, settings: Settings, has_tools: bool = True) -> Settings:
    """The settings as the answers to what plugins ask before a run leave them (`PluginInfo.before`). Raises AgenticError."""
    if can_ask():
        host = host_of(settings)
        for plugin, info in host.infos("before").items():
            try:
                settings = imported(info.before)(root, settings, has_tools)
            except (AgenticError, click.ClickException, click.Abort, click.exceptions.Exit):
                raise
            except FAULTS as error:
                what = f"what it asks before a run, {info.before!r}, failed: {describe(error)}"
                raise PluginFault(host.owner(plugin), plugin, what, error) from error
    return settings


def standard_input() -> str:
    """All of it. A pipe that another program handed on may never end, so what is waited for is said after a while."""
    if sys.stdin is None:
        return ""
    waiting = threading.Timer(
        READING_SECONDS, click.echo, ["reading the standard input until it ends (</dev/null for none) ..."], {"err": True}
    )
    waiting.daemon = True
    if not sys.stdin.isatty():
        waiting.start()
    try:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    finally:
        waiting.cancel()


def run_to_end(events: AsyncGenerator[Event, None], unchecked: int = 0) -> int:
    """Follows a run; the exit code, which is `unchecked` where nothing showed that it is right.

    The first Ctrl-C (or TERM, HUP) stops the turn and keeps what came; the second one leaves at once.
    """
    stdout, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints must not end up in the answer
    try:
        return run(interruptible(_followed(events, EXIT_CODES | {"unchecked": unchecked})))
    finally:
        sys.stdout = stdout


async def _followed(events: AsyncGenerator[Event, None], codes: Mapping[str, int]) -> int:
    status = ""
    try:
        async for event in events:
            if isinstance(event, RunFinished):
                status = event.status
    finally:
        await events.aclose()
    return codes.get(status, 1)


async def interruptible(session: Coroutine[Any, Any, int], signals: Collection[signal.Signals] = tuple(_SIGNALS)) -> int:
    """The exit code, of the signal where one ended it; the first signal cancels, the second one leaves at once."""
    task = asyncio.ensure_future(session)
    async with _signals(task, signals) as received:
        try:
            code = await task
            return _SIGNALS[received[0]] if received else code
        except asyncio.CancelledError:
            return _SIGNALS[received[0]] if received else 130


@asynccontextmanager
async def _signals(task: "asyncio.Task[int]", signals: Collection[signal.Signals]) -> AsyncIterator[list[signal.Signals]]:
    """Signals cancel the task; a second one ends the process, so does the first where it is not taken up, or does not end it."""
    loop = asyncio.get_running_loop()
    received: list[signal.Signals] = []
    came, taken_up = threading.Event(), threading.Event()

    def stop() -> None:
        taken_up.set()
        task.cancel()

    def on_signal(number: int, frame: object) -> None:
        if received:
            os._exit(_SIGNALS[signal.Signals(number)])
        received.append(signal.Signals(number))
        with suppress(RuntimeError):  # the loop is closed: it ends anyway
            loop.call_soon_threadsafe(stop)
        came.set()

    def leave() -> None:
        came.wait()
        if received:
            if taken_up.wait(STUCK_SECONDS):
                time.sleep(LEAVING_SECONDS)  # this thread ends with the process
            os._exit(_SIGNALS[received[0]])

    threading.Thread(target=leave, daemon=True).start()
    before = {number: signal.signal(number, on_signal) for number in signals}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        taken_up.set()
        came.set()


def asker(settings: Settings) -> Ask | None:
    """How to ask the user, on the terminal, whatever the renderer; None without one."""
    if not can_ask():
        return None
    from agentic.lib.terminal.asking import Asker

    return Asker(palette_of(settings, sys.stderr), check_rule)


def palette_of(settings: Settings, stream: TextIO) -> Palette:
    """The colours of what is written to that stream."""
    theme = settings.ui.theme if stream.isatty() else "mono"
    return palette_for(theme, stream.encoding or "", background_of(settings).is_light if theme == "auto" else None)


def background_of(settings: Settings) -> "Background":
    """The terminal's, where the theme depends on it: else the terminal is not asked."""
    from agentic.lib.terminal.background import Background, background

    return background() if settings.ui.theme == "auto" else Background()
