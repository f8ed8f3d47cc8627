"""`agentic` on a pseudo-terminal, read by a terminal emulator."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte

from agentic.testing.fork_server import ForkedProcess
from plugins_builtin.terminal.region import PLACEHOLDER
from tests import forks

ROWS, COLUMNS = 24, 60
GIVEN = {"COLORFGBG": "15;0"}
TERM = {"TERM": "xterm-256color"}


class Terminal:
    """`agentic` on a pseudo-terminal: a chat in a fresh process, anything else in a forked one."""

    process: "subprocess.Popen[bytes] | ForkedProcess"

    def __init__(self, arguments: list[str], env: dict[str, str], cwd: Path, columns: int = COLUMNS) -> None:
        self.columns = columns
        self.screen = pyte.HistoryScreen(columns, ROWS, history=1000)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.master, slave = pty.openpty()
        self.screen.write_process_input = lambda data: os.write(self.master, data.encode())  # answers what is asked of a terminal
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        kind = {name: value for name, value in env.items() if name == "TERM" and value != "dumb"}
        own = GIVEN | env | TERM | {"COLUMNS": "80"} | kind
        is_chat = not arguments or arguments[0].startswith("-") or arguments[0] == "chat" or " " in arguments[0]
        self.process = self._fresh(arguments, own, cwd) if is_chat else self._forked(arguments, own, cwd)

    def _forked(self, arguments: list[str], env: dict[str, str], cwd: Path) -> "subprocess.Popen[bytes] | ForkedProcess":
        slave = self.slave
        try:
            return forks.server().start(arguments, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, terminal=True)
        except ValueError:  # what only a fresh interpreter takes up
            return self._fresh(arguments, env, cwd)

    def _fresh(self, arguments: list[str], env: dict[str, str], cwd: Path) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "agentic", *arguments],
            cwd=cwd, env=env, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=self._as_a_shell_does,
        )  # fmt: skip

    def _as_a_shell_does(self) -> None:
        """Its own terminal, and Ctrl-C as usual, which a job in the background (of whoever runs the tests) ignores."""
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.text
            if select.select([self.master], [], [], 0.05)[0]:
                data = os.read(self.master, 65536)
                self.raw += data
                self._stream.feed(data)

    def until_ended(self) -> int:
        self.until(lambda: self.process.poll() is not None)
        while select.select([self.master], [], [], 0.1)[0]:
            data = os.read(self.master, 65536)
            self.raw += data
            self._stream.feed(data)
        return int(self.process.returncode or 0)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    @property
    def text(self) -> str:
        above = ["".join(row[i].data for i in range(self.columns)) for row in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self.screen.display]).rstrip()

    @property
    def draft(self) -> str:
        """The text in the input's first row."""
        row = next((row.rstrip() for row in reversed(self.text.split("\n")) if row.startswith(("›", ">"))), "?")
        return row.removeprefix("›").removeprefix(">").removesuffix(PLACEHOLDER).strip()

    @property
    def works(self) -> bool:
        """True while a turn goes on."""
        return any("Esc stops" in row for row in self.screen.display)

    def menu(self, option: str) -> bool:
        """True if the menu that is open has that option."""
        return any(option in row for row in self.screen.display)

    @property
    def is_ready(self) -> bool:
        """True if the session is open, nothing goes on, and the input is empty."""
        return b"for commands" in self.raw and not self.works and self.draft == ""

    def restored(self) -> bool:
        """Echo and line mode as before, cursor shown, no colour left on."""
        same = termios.tcgetattr(self.slave)[:4] == self.before[:4]
        return same and not self.screen.cursor.hidden and self.screen.cursor.attrs.fg == "default"


@contextmanager
def terminal(arguments: list[str], env: dict[str, str], cwd: Path, columns: int = COLUMNS) -> Iterator[Terminal]:
    shown = Terminal(arguments, env, cwd, columns)
    try:
        yield shown
    finally:
        shown.process.kill()
        shown.process.wait()
        os.close(shown.master)
        os.close(shown.slave)
