"""A terminal that shows a session which runs without one."""

import os
import selectors
import signal
import socket
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from agentic import ConfigError
from plugins_builtin.terminal.detached.host import HEAD, KEYS, SIZE
from plugins_builtin.terminal.detached.places import connected, is_there
from plugins_builtin.terminal.detached.shown import RESET, give_keys_as_they_are

LEAVE = b"\x1c"  # Ctrl-\\


def show(name: str, looks: bool, takes: bool) -> int:
    """Until one of them ends; the exit code. Raises ConfigError."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("attach needs a terminal", "agentic ps --output jsonl says what runs")
    sys.stdout.flush()
    client, state, rest = connected(name, want="show", size=_size(), looks=looks, takes=takes)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))  # and the terminal is as before
    client.settimeout(None)
    with client, _as_it_is():
        _write(rest)
        if not (looks or state["answers"]):
            _write(b"\r\n(another terminal answers: this one looks on; agentic attach --take answers instead)\r\n")
        _follow(client)
        _write(RESET + b"\r\x1b[J")
    has_left = _runs(name)
    print(f"({name} goes on: agentic attach {name})" if has_left else f"({name} has ended: agentic --continue goes on)")
    return 0


def _runs(name: str) -> bool:
    if not is_there(name):
        return False
    try:
        connected(name, want="state")[0].close()
    except ConfigError:
        return is_there(name)
    return True


def _size() -> tuple[int, int]:
    columns, lines = os.get_terminal_size(1)
    return lines, columns


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


@contextmanager
def _as_it_is() -> Iterator[None]:
    """Keys go to the session, whatever they are; lines end as they do."""
    before = termios.tcgetattr(0)
    give_keys_as_they_are(0)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(0, termios.TCSAFLUSH, before)


def _follow(client: socket.socket) -> None:
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    usual = signal.signal(signal.SIGWINCH, lambda number, frame: None)
    try:
        with selectors.DefaultSelector() as selector:
            for each in (client, 0, woken):
                selector.register(each, selectors.EVENT_READ)
            while all(_passed_on(client, key.fileobj, woken) for key, _ in selector.select()):
                pass
    except OSError:  # one of them is gone
        pass
    finally:
        signal.signal(signal.SIGWINCH, usual)
        signal.set_wakeup_fd(before)


def _passed_on(client: socket.socket, source: object, woken: int) -> bool:
    """False at the end."""
    if source is client:
        data = client.recv(65536)
        _write(data)
        return bool(data)
    if source == woken:
        os.read(woken, 64)
        client.sendall(HEAD.pack(SIZE, 4) + struct.pack(">HH", *_size()))
        return True
    keys = os.read(0, 4096)
    if not keys or LEAVE in keys:
        return False
    client.sendall(HEAD.pack(KEYS, len(keys)) + keys)
    return True
