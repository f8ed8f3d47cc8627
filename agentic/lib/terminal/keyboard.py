"""The keyboard, while a question is on the terminal: single keys, and lines."""

import asyncio
import fcntl
import os
import signal
import struct
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from agentic.lib.terminal.keys import ESCAPE_SECONDS, Keys, Paste

MAX_BYTES = 4096  # that are read at once
QUIET_SECONDS = 0.3  # nobody can have read a question by then: what is typed was meant for something else


@contextmanager
def _as_before() -> Iterator[int]:
    """The keyboard's descriptor; afterwards its terminal is as it was."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        yield descriptor
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(descriptor, termios.TCSANOW, before)


@contextmanager
def single_keys() -> Iterator[None]:
    """Keys come one by one, and are not shown."""
    with _as_before() as descriptor:
        tty.setcbreak(descriptor, termios.TCSANOW)
        yield


@contextmanager
def whole_lines() -> Iterator[None]:
    """The terminal as a program expects it that is started now."""
    with _as_before() as descriptor:
        mode = termios.tcgetattr(descriptor)
        mode[3] |= termios.ICANON | termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSANOW, mode)
        yield


async def quiet(typed: Callable[[bytes], None]) -> None:
    """Waits until no key came for a moment; those that did are given to `typed`."""
    while True:
        await asyncio.sleep(QUIET_SECONDS)
        if not (count := _waiting()):
            return
        typed(os.read(sys.stdin.fileno(), count))


async def key(allowed: str, is_over: Callable[[], bool] = lambda: False) -> str:
    """The next of these keys that is pressed by itself, in lower case, with a newline behind it where Enter came along.

    Escape is one that nothing follows; it is also what a terminal gives that is gone. "" once `is_over`.
    """
    keys = Keys()
    while not is_over():
        try:
            found = keys.feed(await asyncio.wait_for(_bytes(), ESCAPE_SECONDS if keys.replies.is_waiting else QUIET_SECONDS))
        except TimeoutError:
            found = keys.flush()
        pressed, *rest = found or [""]
        if pressed and not isinstance(pressed, Paste) and pressed.lower() in allowed and not "".join(rest).strip():
            return pressed.lower() + ("\n" if rest else "")  # else it is the first letter of a word, an arrow, a function key
    return ""


async def line(prompt: str, text: str = "") -> str | None:
    """A line as the user edits it, without what surrounds it; None for Escape, Ctrl-D."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import create_output

    keys = KeyBindings()

    @keys.add("escape", eager=True)
    def _(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError)

    try:
        session: PromptSession[str] = PromptSession(prompt, key_bindings=keys, output=create_output(sys.stderr))
        return (await session.prompt_async(default=text, handle_sigint=False)).strip()
    except EOFError:
        return None
    except KeyboardInterrupt:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(QUIET_SECONDS)  # what the signal stops is this, too
        return None


async def _bytes() -> bytes:
    """Waits for keys and reads them; needs no thread, which would hold the process when it is told to stop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bytes] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(sys.stdin)
        if not future.done():
            try:
                future.set_result(os.read(sys.stdin.fileno(), MAX_BYTES) or b"\x1b")
            except OSError:
                future.set_result(b"\x1b")

    loop.add_reader(sys.stdin, readable)
    try:
        return await future
    finally:
        loop.remove_reader(sys.stdin)


def _waiting() -> int:
    """How many bytes were typed and not read."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(sys.stdin.fileno(), termios.FIONREAD, b"\0" * 4))[0])
    except OSError:
        return 0
