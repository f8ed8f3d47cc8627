"""Leaving a terminal: the process that a shell waits for ends, its child goes on with a pseudo-terminal in its place."""

import asyncio
import atexit
import fcntl
import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn, TextIO

from agentic import ConfigError
from agentic.events import ApprovalAnswered, ApprovalAsked, Event, RunFinished, RunStarted
from plugins_builtin.terminal.detached.host import SharedTerminal
from plugins_builtin.terminal.detached.shown import BEGIN_ROWS, END_ROWS, RESET, Shown, give_keys_as_they_are
from plugins_builtin.terminal.telling import tell_user

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
USUAL_SIZE = (24, 80)


class Presence:
    """The process that a session is in, as others see it: its state is "idle", "working" or "question"."""

    def __init__(self) -> None:
        self.shown = Shown()
        self.host: SharedTerminal | None = None
        self.leash: Leash | None = None
        self.came: Callable[[], None] = lambda: None  # called in another thread, where somebody begins to look
        self.rows_above: Callable[[int], int] | None = None  # the cursor, as `SharedTerminal` asks for it
        self.in_session: Callable[[Callable[[], None]], object] = lambda work: work()
        self.tells_itself = False
        self.usual_hangup: Callable[[int, FrameType | None], object] | int | None = None  # what SIGHUP did before
        self._since = time.time()
        self._state, self._task, self._session = "idle", "", ""
        self._notify_command = ""
        self._folder = ""

    def heard(self, event: Event, notify_command: str) -> None:
        """Keeps the state, and tells the user of a question."""
        self._notify_command = notify_command
        if isinstance(event, ApprovalAsked):
            self._tell(f"agentic asks: {event.what}")
        match event:
            case RunStarted():
                self._session, self._task = event.session or self._session, event.task or self._task
                self._be("working" if event.task else "idle")
            case ApprovalAsked():
                self._be("question")
            case ApprovalAnswered():
                self._be("working")
            case RunFinished():
                self._be("idle")

    def _tell(self, text: str) -> None:
        """Tells the user where nobody looks and the session does not do so itself, as a chat does."""
        if self.host is not None and not self.host.clients and not self.tells_itself:
            tell_user(self._notify_command, text)

    def _be(self, state: str) -> None:
        if state != self._state:
            self._state, self._since = state, time.time()

    def state(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "folder": self._folder,
            "session": self._session,
            "task": self._task,
            "state": self._state,
            "since": self._since,
        }

    def recorded(self, stdout: TextIO) -> TextIO:
        """The terminal, of which is kept what was written to it, until it is left. One that is gone takes all and shows nothing."""
        return _Recorded(stdout, self)  # type: ignore[return-value]

    def follow(self) -> None:
        """Is killed with the process that the shell waits for, until the terminal is left."""
        if self.leash is not None:
            loop, alive = asyncio.get_running_loop(), self.leash.alive
            loop.add_reader(alive, lambda: loop.remove_reader(alive) if self.host else os.kill(os.getpid(), signal.SIGKILL))

    def leave(self) -> None:
        """The terminal gets back what it was before; from now on a pseudo-terminal of our own is in its place. Raises OSError."""
        leash = self.leash
        assert leash is not None
        host = SharedTerminal(self.shown, _size_of(0), self.state)
        give_keys_as_they_are(host.slave)
        leash.give_back()
        self.leash = None
        self.take(host, leash.terminals)
        leash.let_go(host.name)

    def take(self, host: SharedTerminal, terminals: Iterable[int]) -> None:
        """The pseudo-terminal is this process's from now on, in place of these descriptors."""
        signal.signal(signal.SIGHUP, lambda number, frame: None)
        with suppress(OSError):  # it is gone
            self._folder = os.getcwd()
        os.setsid()
        fcntl.ioctl(host.slave, termios.TIOCSCTTY, 0)
        for number in terminals:
            os.dup2(host.slave, number)
        host.came, host.rows_above, host.in_session = lambda: self.came(), self.rows_above, self.in_session  # noqa: PLW0108
        self.host = host
        host.start()
        atexit.register(host.end)
        atexit.register(lambda: self._tell(f"agentic is done with: {self._task}"))  # which is called first


now = Presence()
"""This process's."""


def on_hangup(goes_on: Callable[[], bool]) -> None:
    """Asks whether a session goes on whose terminal is gone; else it ends as it would, also where it is only told to."""
    if now.usual_hangup is None:  # else this is the next window
        now.usual_hangup = signal.getsignal(signal.SIGHUP)

    def hung_up() -> None:
        if not (_is_gone() and goes_on()) and callable(now.usual_hangup):
            now.usual_hangup(signal.SIGHUP, None)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


class _Recorded:
    def __init__(self, stdout: TextIO, session: Presence) -> None:
        self._stdout, self._session = stdout, session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stdout, name)

    def marked(self, rows: str) -> str:
        return f"{BEGIN_ROWS.decode()}{rows}{END_ROWS.decode()}"

    def write(self, text: str) -> int:
        if self._session.host is None:
            encoding = self._stdout.encoding or "utf-8"
            text = self._session.shown.add(text.encode(encoding, "replace")).decode(encoding, "replace")
        with suppress(OSError):  # the terminal is gone
            self._stdout.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stdout.flush()


class Leash:
    """The child's end of what it is held by. `before` are the terminal's attributes when it began."""

    def __init__(self, tell: int, alive: int) -> None:
        self._tell, self.alive = tell, alive
        self._before = termios.tcgetattr(0)
        self.terminals = [number for number in (0, 1, 2) if os.isatty(number)]

    def give_back(self) -> None:
        """The terminal is as the shell had it."""
        with suppress(OSError, termios.error):  # it is gone
            os.write(1, RESET)
            termios.tcsetattr(0, termios.TCSANOW, self._before)

    def let_go(self, name: str) -> None:
        os.write(self._tell, name.encode())
        os.close(self._tell)


def begin() -> None:
    """Goes on in a child, which is killed with its parent until it leaves; the parent waits for it. Nothing where threads run."""
    if threading.active_count() > 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    told, tell = os.pipe()
    alive, held = os.pipe()
    if pid := os.fork():
        os.close(tell)
        os.close(alive)
        _wait(pid, told)
    os.close(told)
    os.close(held)
    now.leash = Leash(tell, alive)


def _wait(pid: int, told: int) -> NoReturn:
    """Ends as the child does, or when that has left."""

    def forward(number: int, frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    for number in _FORWARDED:
        signal.signal(number, forward)
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended:
        if told in select.select([told, woken], [], [])[0] and (name := os.read(told, 64).decode()):
            with suppress(OSError):
                print(f"It goes on: `agentic attach {name}` comes back to it, `agentic stop {name}` ends it.", flush=True)
            os._exit(0)
        os.read(woken, 64)
        ended, status = os.waitpid(pid, os.WNOHANG)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def detach() -> None:
    """Goes on without this terminal, and prints its name for `agentic attach`."""
    if "-" in sys.argv[1:]:
        raise ConfigError("--detach takes no task from the standard input", "put the task on the command line")
    _keep_standard_descriptors()
    sys.stdout.flush()
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        name = os.read(told, 64).decode()
        if not name:
            os._exit(2)  # the child has said why
        print(name, flush=True)
        print(f"`agentic attach {name}` shows it, `agentic stop {name}` ends it", file=sys.stderr, flush=True)
        os._exit(0)
    os.close(told)
    host = SharedTerminal(now.shown, _size_of(0), now.state)
    now.take(host, (0, 1, 2))
    os.write(tell, host.name.encode())
    os.close(tell)


def _keep_standard_descriptors() -> None:
    """Nothing else is to be one of them, where whoever started this has closed them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)


def _is_gone() -> bool:
    try:
        termios.tcgetattr(0)
    except (OSError, termios.error):
        return True
    return now.host is not None


def _size_of(number: int) -> tuple[int, int]:
    try:
        columns, lines = os.get_terminal_size(number)
    except OSError:
        return USUAL_SIZE
    return lines, columns
