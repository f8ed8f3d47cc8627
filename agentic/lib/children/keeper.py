"""A program beside a session: it starts the session's commands and makes sure that none outlives it, whatever happens to us.

It talks with `agentic.lib.children.Children` over the socket that is its standard input, a JSON object a line. It imports nothing
but the standard library, and what a launcher wants called in the child. Each command gets a warden of its own, to which
everything falls that the command leaves behind, whatever session, group or environment that has.
"""

import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

GRACE_SECONDS = 2.0  # between TERM and KILL
CLEAR_SECONDS = 5.0  # for what is killed to be gone
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_HAS_PROC = os.path.isdir("/proc/self")


def main() -> None:
    sys.path += sys.argv[1:]  # where what confines can be imported from
    link = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    Keeper(link).run()


class Messages:
    """Objects, a line each, and the open files that come with them."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self._rest = b""
        self.files: list[int] = []

    def receive(self) -> list[dict[str, Any]] | None:
        """Returns the messages that have come by now, an empty list if none is whole yet; None at the end."""
        try:
            data, files, _, _ = socket.recv_fds(self.link, 65536, 16)
        except ConnectionError:  # gone, with something of ours unread
            return None
        self.files += files
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines] if data else None

    def take(self, count: int) -> list[int]:
        taken, self.files = self.files[:count], self.files[count:]
        return taken


class Keeper:
    """Hands each command to a warden that waits for one, and ends them all when nobody is at the other end any more."""

    def __init__(self, link: socket.socket) -> None:
        self._messages = Messages(link)
        self._wardens: dict[int, int] = {}
        self._removes: list[str] = []
        self._spare: tuple[int, socket.socket] | None = None

    def run(self) -> None:
        adopt()
        wake, waker = os.pipe()
        for end in (wake, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):  # of the terminal: they are meant for our parent
            signal.signal(number, signal.SIG_IGN)
        while True:
            self._spare = self._spare or self._new_warden()
            link = self._messages.link.fileno()
            ready, _, _ = select.select([link, wake], [], [])
            if wake in ready:
                with suppress(BlockingIOError):
                    os.read(wake, 512)
            self._reap()
            if link in ready:
                if (requests := self._messages.receive()) is None:
                    break
                for request in requests:
                    self._handle(request)
        for warden in self._wardens.values():
            with suppress(ProcessLookupError):
                os.kill(warden, signal.SIGKILL)
        clear()
        if self._removes:
            from shutil import rmtree

            for folder in self._removes:
                rmtree(folder, ignore_errors=True)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for name in [name for name, pid in self._wardens.items() if pid == ended[0]]:
                    del self._wardens[name]
                    _tell(self._messages.link, {"id": name, "code": -signal.SIGKILL})  # where its warden told first, that counts

    def _handle(self, request: dict[str, Any]) -> None:
        if "end" in request:
            if pid := self._wardens.get(request["end"]):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                    os.kill(pid, signal.SIGCONT)  # a command may have stopped it
        elif "remove" in request:
            self._removes.append(request["remove"])
        else:
            self._start(request)

    def _start(self, request: dict[str, Any]) -> None:
        pid, link = self._spare or self._new_warden()
        self._spare = None
        files = self._messages.take(1 + request["files"])
        data = json.dumps(request).encode() + b"\n"
        link.sendall(data[socket.send_fds(link, [data], files) :])
        link.close()
        self._wardens[request["id"]] = pid
        for descriptor in files:
            os.close(descriptor)
        with suppress(Exception):  # the warden tells
            _function(request["confine"])  # imported by now, for the next one

    def _new_warden(self) -> tuple[int, socket.socket]:
        """Forks a warden that waits for a command: forking is most of what starting a command costs."""
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                signal.set_wakeup_fd(-1)
                Warden(Messages(theirs), self._messages.link).run(parent)
            finally:
                os._exit(70)
        theirs.close()
        return pid, ours


def _function(path: str) -> Callable[..., None] | None:
    if not path:
        return None
    module, _, name = path.partition(":")
    function: Callable[..., None] = getattr(import_module(module), name)
    return function


def adopt() -> None:
    """From now on orphans below us are our children."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with(parent: int) -> None:
    """TERM comes when the parent is gone."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(70)


class Warden:
    """Starts one command, waits for its end or TERM, kills what is left of it, tells `client` the exit code."""

    def __init__(self, messages: Messages, client: socket.socket) -> None:
        self._messages = messages
        self._client = client

    def run(self, parent: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        die_with(parent)
        adopt()
        while not (requests := self._messages.receive()):
            if requests is None:
                return
        request, files = requests[0], self._messages.files
        try:
            prepare = _function(request["confine"])
        except Exception as error:
            self._tell(request, 126, f"{request['confine']}: {error}")
            return
        fault_end, fault = os.pipe()
        pid = os.fork()
        if pid == 0:
            become(request, files[0], files[1:], prepare, fault)
        for descriptor in (fault, *files):
            os.close(descriptor)
        said = os.read(fault_end, 4096).decode("utf-8", "replace")
        code = _waited(pid)
        clear()
        self._tell(request, code, said)

    def _tell(self, request: Mapping[str, Any], code: int, fault: str) -> None:
        _tell(self._client, {"id": request["id"], "code": code} | ({"fault": fault} if fault else {}))


def _tell(client: socket.socket, answer: Mapping[str, Any]) -> None:
    with suppress(OSError):
        client.sendall(json.dumps(answer).encode() + b"\n")


_AWAITED = {signal.SIGCHLD, signal.SIGTERM}


def _waited(pid: int) -> int:
    """The exit code, once the command has ended; after TERM it has GRACE_SECONDS."""
    end = 0.0
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if end and time.monotonic() >= end:
            for kill, target in ((os.killpg, pid), (os.kill, pid)):
                with suppress(ProcessLookupError, PermissionError):
                    kill(target, signal.SIGKILL)
        if _next_signal(max(0.01, end - time.monotonic()) if end else 3600.0) == signal.SIGTERM and not end:
            end = time.monotonic() + GRACE_SECONDS
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGTERM)


def _next_signal(seconds: float) -> int:
    """Waits for one of the awaited signals; 0 where none came in time."""
    if sys.platform == "linux":
        info = signal.sigtimedwait(_AWAITED, seconds)
        return info.si_signo if info else 0
    time.sleep(min(seconds, 0.01))
    return signal.sigwait(_AWAITED) if signal.sigpending() & _AWAITED else 0


def become(request: Mapping[str, Any], output: int, files: list[int], prepare: Callable[..., None] | None, fault: int) -> NoReturn:
    """The command itself: a session of its own, its limits, what confines it; no input and one output, unless it talks."""
    what = request["folder"]
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        os.dup2(files.pop(0) if request["talks"] else os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(files.pop(0) if request["talks"] else output, 2)
        _close_others(fault, files)
        for descriptor in files:
            os.set_inheritable(descriptor, True)
        os.chdir(what)
        what = request["argv"][0]
        for name, value in request["limits"].items():
            _limit(getattr(resource, name, None), value)
        argv = [_numbered(word, request["names"], files) for word in request["argv"]]
        if prepare is not None:
            prepare(**request["arguments"])
        os.execvpe(argv[0], argv, request["environment"])
    except BaseException as error:
        os.write(fault, f"{what}: {getattr(error, 'strerror', '') or error}".encode()[:4000])
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def _numbered(word: str, names: list[str], files: list[int]) -> str:
    """`{name}` is the number of an open file."""
    if word.startswith("{") and word[1:-1] in names:
        return str(files[names.index(word[1:-1])])
    return word


def _close_others(fault: int, files: list[int]) -> None:
    keep = sorted({0, 1, 2, fault, *files})
    for below, above in zip(keep, [*keep[1:], 65536], strict=True):
        os.closerange(below + 1, above)


def _limit(which: int | None, value: int) -> None:
    if which is not None:
        _, most = resource.getrlimit(which)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        with suppress(OSError, ValueError):
            resource.setrlimit(which, (value, value))


def clear() -> None:
    """Kills every process below us; what is killed leaves its own children to us, so it is done again until none is left."""
    end = time.monotonic() + CLEAR_SECONDS
    while time.monotonic() < end:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        for pid in children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def children() -> list[int]:
    """The processes whose parent we are."""
    me = os.getpid()
    with suppress(OSError), open(f"/proc/{me}/task/{me}/children") as file:
        return [int(word) for word in file.read().split()]
    if not _HAS_PROC:
        return _children_by_ps(me)
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as stat:
                if int(stat.read().rpartition(b")")[2].split()[1]) == me:
                    found.append(int(name))
    return found


def _children_by_ps(me: int) -> list[int]:
    """Returns all processes below us, for systems without /proc, since no orphan comes back to us there."""
    with os.popen("ps -axo pid=,ppid=") as listing:
        pairs = [tuple(map(int, line.split())) for line in listing if len(line.split()) == 2]
    below = {me}
    for _ in pairs:
        more = {pid for pid, parent in pairs if parent in below} - below
        if not more:
            break
        below |= more
    return sorted(below - {me})


if __name__ == "__main__":
    main()
