"""`agentic chat`: one window after the other, as the user changes settings or the session."""

import asyncio
import shlex
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import click

from agentic import AgenticError, ConfigError, Settings, api
from agentic.commands import RunCommand, common_options, session_options
from agentic.commands.start import background_of, interruptible, prepared, screen_of
from agentic.lib.loop import run
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal import keyboard
from plugins_builtin.terminal.detached.leaving import begin, now, on_hangup
from plugins_builtin.terminal.window import ChatWindow
from plugins_builtin.terminal.words import error_in_words


@click.command("chat", cls=RunCommand, epilog="The manual: agentic docs chat")
@click.argument("task", default="")
@session_options
@common_options
def command(root: Path, settings: Settings, resume: str, task: str) -> int:
    """Opens a conversation with tools in this folder, and starts with TASK if you give one. /help lists the slash commands.

    For example: agentic --continue
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        words = f"agentic run {shlex.quote(task)}" if task else "agentic ask PROMPT, or agentic run TASK,"
        raise ConfigError("chat needs a terminal", f"{words} works without one" if task else f"{words} work without one")
    begin()
    settings = prepared(root, settings)
    stdout, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints must not end up in the conversation
    try:
        with keyboard.single_keys():  # what is typed between two windows is the next one's
            return run(interruptible(_chat(root, settings, now.recorded(stdout), resume, task), (signal.SIGTERM, signal.SIGHUP)))
    finally:
        sys.stdout = stdout


def _from_thread(ask: Callable[[str], Coroutine[Any, Any, bool]]) -> Callable[[str], bool]:
    """A question of another thread's, which waits for the answer."""
    loop = asyncio.get_running_loop()
    return lambda question: asyncio.run_coroutine_threadsafe(ask(question), loop).result()


async def _chat(root: Path, settings: Settings, stdout: TextIO, resume: str, task: str) -> int:
    """Opens a window, and the next one where the user asks for one; a window that cannot be opened leads back to the last."""
    now.follow()
    good: tuple[Settings, str] | None = None
    typed = background_of(settings).typed
    before: ChatWindow | None = None
    while True:
        try:
            chat = ChatWindow(root, settings, stdout, typed)
            typed = b""
            if before is not None:
                chat.take_over(before)
            before = chat
            on_hangup(chat.leaving.hung_up)
            async with AsyncExitStack() as stack, chat.on_screen():
                screen = replace(screen_of(settings, stdout), own=chat.screen, confirm=_from_thread(chat.confirm))
                opening = api.open_conversation(root, settings, chat.answer, resume, screen)
                conversation = await stack.enter_async_context(opening)
                good = settings, conversation.session.id
                first, task = task, ""
                await chat.loop(conversation, first)
            if chat.next is None:
                return 0
            settings, resume = chat.next
        except AgenticError as error:
            if good is None or (settings, resume) == good:
                raise
            stdout.write(sanitize(error_in_words(error)) + "\n")
            stdout.flush()
            settings, resume = good
