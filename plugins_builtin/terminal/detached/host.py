"""The pseudo-terminal of a session without a terminal, and those who look at it. It is served by a thread of its own."""

import fcntl
import json
import os
import re
import secrets
import selectors
import signal
import socket
import struct
import termios
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from agentic.lib.record import record
from plugins_builtin.terminal.detached.places import listening, remove
from plugins_builtin.terminal.detached.shown import BEGUN, RESET, Shown

MAX_WAITING = 8 << 20  # bytes that wait for a client: one that takes none is let go
MAX_HELLO = 4_096  # bytes
LAST_SECONDS = 2.0  # for what the clients are still to get
KEYS, SIZE = b"k", b"s"
_JOIN = re.compile(rb"\x1b\]5152;(\d+);(\d+)\x07")  # written where a client of another width begins
CLEAR = b"\x1b[0m\x1b[H\x1b[2J"
HEAD = struct.Struct(">cI")  # of what a client sends: its kind and its length


@record(slots=True, eq=False)
class _Client:
    """`is_shown`: it gets what the session shows, or is about to where it `joins`; `looks`: it sends no keys."""

    connection: socket.socket
    is_shown: bool = False
    joins: bool = False  # it is shown the session from where that draws its region anew
    looks: bool = False
    is_done: bool = False  # once it has got what waits
    came: bytes = b""
    waiting: bytes = b""
    size: tuple[int, int] = (24, 80)


class SharedTerminal:
    """`state()` tells about the session."""

    def __init__(self, shown: Shown, size: tuple[int, int], state: Callable[[], Mapping[str, Any]]) -> None:
        self.name = secrets.token_hex(2)
        self.clients = 0
        self.came: Callable[[], None] = lambda: None  # called in the thread, where somebody begins to look
        self.rows_above: Callable[[int], int] | None = None  # the cursor, in a terminal of that width
        self.in_session: Callable[[Callable[[], None]], object] = lambda work: work()  # has the session's thread do it
        self._shown, self._state = shown, state
        self._clients: list[_Client] = []
        self._answered: _Client | None = None
        self._to_session = self._begun = b""
        self._listener = listening(self.name)
        self._master, self.slave = os.openpty()
        self._columns = 0
        self._resize(size)
        os.set_blocking(self._master, False)
        self._told, self._tell = os.pipe()
        os.set_blocking(self._told, False)
        self._thread = threading.Thread(target=self._serve, daemon=True, name="detached")

    def start(self) -> None:
        self._thread.start()

    def let_go(self) -> None:
        """Whoever looks is to leave; the session goes on."""
        os.write(self._tell, b"d")

    def end(self) -> None:
        """The session has written its last."""
        remove(self.name)
        os.write(self._tell, b"e")
        self._thread.join(LAST_SECONDS + 1)

    def _resize(self, size: tuple[int, int]) -> None:
        self._columns = size[1]
        with suppress(OSError):
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def _serve(self) -> None:
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            self._selector.register(self._master, selectors.EVENT_READ, self._from_session)
            self._selector.register(self._told, selectors.EVENT_READ, self._from_own)
            self._is_over = False
            while not self._is_over:
                for key, _ in self._selector.select():
                    if key.fileobj in self._selector.get_map():  # it was not closed by one before
                        key.data()
                self._send()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            client = _Client(connection)
            self._clients.append(client)
            self._selector.register(connection, selectors.EVENT_READ, lambda: self._from_client(client))

    def _from_session(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self._master, 65536):
                data = self._begun + data
                begun = BEGUN.search(data)
                data, self._begun = (data[: begun.start()], begun[0]) if begun else (data, b"")
                text, *joined = _JOIN.split(data)
                self._pass_on(text)
                for number, rows, after in zip(joined[::3], joined[1::3], joined[2::3], strict=True):
                    self._show_anew(int(number), int(rows))
                    self._pass_on(after)

    def _pass_on(self, data: bytes) -> None:
        data = self._shown.add(data)
        for client in self._clients:
            if client.is_shown and not client.joins:
                client.waiting += data

    def _show_anew(self, number: int, rows_above: int) -> None:
        for client in self._clients:
            if client.joins and client.connection.fileno() == number:
                client.joins, client.waiting = False, client.waiting + self._shown.replay(rows_above)

    def _join(self, client: _Client) -> None:
        """Shows it the session: at once, or where it has another width from the place on where that is known to the session."""
        columns, number = client.size[1], client.connection.fileno()
        if self.rows_above is None or columns == self._columns or self._answering() is not client:
            client.waiting += self._shown.replay()
            return
        rows_above, size, client.joins = self.rows_above, client.size, True

        def join() -> None:  # between two frames of the session's, and in order with what it writes
            rows = rows_above(columns)
            self._resize(size)
            os.write(self.slave, b"\x1b]5152;%d;%d\x07" % (number, rows))

        self.in_session(join)

    def _from_own(self) -> None:
        told = os.read(self._told, 64)
        for client in [each for each in self._clients if each.is_shown]:
            client.waiting, client.is_done = client.waiting + RESET, True
        if b"e" in told:
            self._is_over = True
            self._from_session()
            for client in self._clients:
                client.connection.settimeout(LAST_SECONDS)
                with suppress(OSError):
                    client.connection.sendall(client.waiting)
                client.connection.close()

    def _from_client(self, client: _Client) -> None:
        try:
            data = client.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._forget(client)
            return
        client.came += data
        if client.is_shown:
            self._take_frames(client)
        elif b"\n" in client.came or len(client.came) > MAX_HELLO:
            self._answer(client)

    def _answer(self, client: _Client) -> None:
        line, _, client.came = client.came.partition(b"\n")
        try:
            wanted = json.loads(line)
            want, size = str(wanted["want"]), tuple(map(int, wanted.get("size", (24, 80))))
        except (ValueError, KeyError, TypeError, AttributeError):
            self._forget(client)
            return
        answer = {**self._state(), "name": self.name, "clients": self.clients}
        if want == "show":
            client.looks = bool(wanted.get("looks"))
            if wanted.get("takes"):
                self._clients.sort(key=lambda each: each is not client)
            self._from_session()
            client.is_shown, client.size = True, (size[0], size[1])
            self.clients += 1
            answer["answers"] = self._answering() is client
            client.waiting = json.dumps(answer).encode() + b"\n"
            if answer["answers"]:
                self._answered = client
            self._join(client)
            self._follow_size()
            self.came()
        else:
            client.waiting, client.is_done = json.dumps(answer).encode() + b"\n", want != "stop"
            if want == "stop":  # its connection ends with the process
                os.kill(os.getpid(), signal.SIGTERM)

    def _answering(self) -> _Client | None:
        return next((each for each in self._clients if each.is_shown and not each.looks), None)

    def _follow_size(self) -> None:
        """The session is as large as the terminal that answers; one that does so from now on begins with a screen of its own."""
        answering = self._answering()
        if answering is None:
            return
        if answering is not self._answered and answering.size[1] != self._columns and self._answered is not None:
            answering.waiting += CLEAR
            self._join(answering)
        self._answered = answering
        if not answering.joins:
            self._resize(answering.size)

    def _take_frames(self, client: _Client) -> None:
        while len(client.came) >= HEAD.size:
            kind, length = HEAD.unpack_from(client.came)
            if len(client.came) < HEAD.size + length:
                return
            body, client.came = client.came[HEAD.size :][:length], client.came[HEAD.size + length :]
            if kind == SIZE and length == 4:
                client.size = struct.unpack(">HH", body)
                self._follow_size()
            elif kind == KEYS and client is self._answering():
                self._to_session += body

    def _forget(self, client: _Client) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(client.connection)
        client.connection.close()
        self._clients.remove(client)
        self.clients -= client.is_shown
        if client is self._answered:
            self._from_session()
        self._follow_size()

    def _send(self) -> None:
        if self._to_session:
            with suppress(OSError):
                self._to_session = self._to_session[os.write(self._master, self._to_session) :]
        self._watch(self._master, bool(self._to_session))
        for client in list(self._clients):
            if client.waiting:
                try:
                    client.waiting = client.waiting[client.connection.send(client.waiting) :]
                except BlockingIOError:
                    pass
                except OSError:
                    self._forget(client)
                    continue
            if len(client.waiting) > MAX_WAITING or (client.is_done and not client.waiting):
                self._forget(client)
            else:
                self._watch(client.connection, bool(client.waiting))

    def _watch(self, of: socket.socket | int, writes: bool) -> None:
        with suppress(KeyError, ValueError):
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writes else 0)
            if self._selector.get_key(of).events != events:
                self._selector.modify(of, events, self._selector.get_key(of).data)
