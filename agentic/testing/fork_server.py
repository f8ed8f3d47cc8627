"""`agentic` as a process of its own, forked from one that has imported it: a test from outside at a fraction of the cost.

with ForkServer() as server:
    done = server.run(["ask", "hi", "--endpoint", url], cwd=folder, env={"HOME": str(home)})
    assert (done.returncode, done.stdout) == (0, "Hello")
"""

import atexit
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import _lru_cache_wrapper
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TextIO

_LENGTH = 4  # bytes that say how long a request is
_FIXED = ("LANG", "LANGUAGE", "LC_", "PYTHON")  # what an interpreter reads once, at its start
_TAKEN_UP = ("PYTHONPATH",)


class UnfitServerError(Exception):
    """A fork from this server would not be what a fresh process is: nothing that it says can be believed."""


class ForkedProcess:
    """A running `agentic`, with the part of `subprocess.Popen` that tests use. It leads a session of its own."""

    def __init__(self, link: socket.socket, pid: int) -> None:
        self._link = link
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._link.settimeout(timeout)
            try:
                self.returncode = int(_read_line(self._link)["code"])
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired("agentic", timeout or 0.0) from error
            self._link.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Has imported agentic, the installed plugins and `modules`; runs no thread, and forks a process for each command.

    `env` is the environment of its interpreter. A command's own environment may differ, but not in the locale and in `PYTHON…`
    variables (PYTHONPATH apart), which an interpreter reads once: such a command needs a fresh one. Raises UnfitServerError.
    """

    def __init__(self, modules: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        self._env = dict(os.environ if env is None else env)
        self._turn = threading.Lock()
        self._link, theirs = socket.socketpair()
        code = "import sys; from agentic.testing.fork_server import serve; serve(int(sys.argv[1]), sys.argv[2:])"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, str(theirs.fileno()), *modules],
                env=self._env,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for whoever runs the tests
            )
        if fault := _read_line(self._link)["fault"]:
            self.close()
            raise UnfitServerError(fault)

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server; the processes that it forked go on."""
        self._link.close()
        self._process.wait()

    def start(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path | str,
        env: Mapping[str, str],
        stdin: int,
        stdout: int,
        stderr: int,
        terminal: bool = False,
    ) -> ForkedProcess:
        """Starts `agentic ARGUMENTS` on these descriptors, which stay the caller's. With `terminal`, `stdin` is the one it has.

        Raises UnfitServerError, ValueError for an environment that only a fresh interpreter can take up.
        """
        if differing := sorted(_fixed(env).items() ^ _fixed(self._env).items()):
            raise ValueError(f"{differing[0][0]} is read at the start of an interpreter: this command needs a fresh one")
        ours, theirs = socket.socketpair()
        request = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "terminal": terminal}
        data = json.dumps(request).encode()
        with theirs, self._turn:
            socket.send_fds(self._link, [b"."], [theirs.fileno()])
        socket.send_fds(ours, [len(data).to_bytes(_LENGTH, "big")], [stdin, stdout, stderr])
        ours.sendall(data)
        answer = _read_line(ours)
        if "fault" in answer:
            ours.close()
            raise UnfitServerError(answer["fault"])
        return ForkedProcess(ours, answer["pid"])

    def run(
        self, arguments: Sequence[str], *, cwd: Path | str, env: Mapping[str, str], stdin: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs `agentic ARGUMENTS` to its end, as `subprocess.run` does; without `stdin` it reads nothing.

        Raises subprocess.TimeoutExpired, and as `start` does.
        """
        end = time.monotonic() + timeout
        pipes = [_Pipe(stdin or "") if stdin is not None else None, _Pipe(), _Pipe()]
        with open(os.devnull) as nothing:
            numbers = [pipe.theirs if pipe else nothing.fileno() for pipe in pipes]
            try:
                process = self.start(arguments, cwd=cwd, env=env, stdin=numbers[0], stdout=numbers[1], stderr=numbers[2])
            finally:
                served = [pipe.begin() for pipe in pipes if pipe]
        out, errors = (pipe.data(end) for pipe in served[-2:])
        try:
            if out is None or errors is None:
                raise subprocess.TimeoutExpired("agentic", timeout, out, errors)
            return subprocess.CompletedProcess(["agentic", *arguments], process.wait(max(0.0, end - time.monotonic())), out, errors)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


class _Pipe:
    """One standard stream of a process: its end, and ours, which a thread of ours serves."""

    def __init__(self, text: str | None = None) -> None:
        reads, writes = os.pipe()
        self.theirs, self._ours = (writes, reads) if text is None else (reads, writes)
        self._text = text
        self._read = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def begin(self) -> "_Pipe":
        """The process has its end, or never will."""
        os.close(self.theirs)
        self._thread.start()
        return self

    def data(self, end: float) -> str | None:
        """What was read until the other end was closed; None where that has not happened in time."""
        self._thread.join(max(0.0, end - time.monotonic()))
        return None if self._thread.is_alive() else self._read.decode().replace("\r\n", "\n").replace("\r", "\n")

    def _serve(self) -> None:
        if self._text is None:
            with open(self._ours, "rb") as file:
                self._read = file.read()
        else:
            with suppress(BrokenPipeError), open(self._ours, "wb") as file:
                file.write(self._text.encode())


def serve(number: int, modules: Sequence[str]) -> None:
    """The server itself, until nobody is at the other end of the socket of that number."""
    link = socket.socket(fileno=number)
    sys.path[:] = [path for path in sys.path if path]  # of a command it is the command's folder
    _preload(modules)
    caches = _caches()
    gc.freeze()
    _write_line(link, {"fault": _fault(caches)})
    children: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        woken, wake = os.pipe()
        for descriptor in (woken, wake):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        selector.register(link, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if woken in ready:
                os.read(woken, 4096)
                _reap(children)
            if link in ready:
                data, numbers, _, _ = socket.recv_fds(link, 1, 1)
                if not data:
                    return
                asker = socket.socket(fileno=numbers[0])
                request, streams = _request(asker)
                if fault := _fault(caches):
                    _write_line(asker, {"fault": fault})
                    continue
                pid = os.fork()
                if pid == 0:
                    for each in (link, asker, *children.values()):
                        each.detach()
                    _work(request, streams)
                for descriptor in streams:
                    os.close(descriptor)
                children[pid] = asker
                _write_line(asker, {"pid": pid})


def _preload(modules: Sequence[str]) -> None:
    """Imports the program whole; what cannot be imported here, the commands do without, too."""
    packages = ["agentic", *(point.module for point in entry_points(group="agentic"))]
    for name in [*modules, *(name for package in packages for name in _modules_of(package))]:
        with suppress(ImportError):
            importlib.import_module(name)


def _modules_of(package: str) -> Iterator[str]:
    yield package
    paths = getattr(importlib.import_module(package), "__path__", ())
    found = pkgutil.walk_packages(paths, f"{package}.")
    yield from (each.name for each in found if not each.name.endswith("__main__"))


def _caches() -> list["_lru_cache_wrapper[Any]"]:
    """Whatever remembers what a function of ours or of a plugin's gave."""
    packages = {"agentic", *(point.module.partition(".")[0] for point in entry_points(group="agentic"))}
    found = [each for each in gc.get_objects() if isinstance(each, _lru_cache_wrapper)]
    return [each for each in found if each.__module__.partition(".")[0] in packages]


def _fault(caches: Sequence["_lru_cache_wrapper[Any]"]) -> str:
    """Why a fork would not be like a fresh process, "" where it is."""
    threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
    if threads != 1:
        names = ", ".join(thread.name for thread in threading.enumerate())
        return f"the fork server has {threads} threads ({names}): what was imported started one"
    filled = [f"{each.__module__}.{each.__qualname__}" for each in caches if each.cache_info().currsize]
    return f"the fork server remembers what {', '.join(filled)} gave: an import called it" if filled else ""


def _reap(children: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with children.pop(ended[0]) as asker, suppress(OSError):  # nobody may wait for it any more
                _write_line(asker, {"code": os.waitstatus_to_exitcode(ended[1])})


def _work(request: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """Becomes the command, in the forked process."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if request["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    time.tzset()
    sys.argv = ["agentic", *request["arguments"]]
    sys.path[:0] = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    importlib.invalidate_caches()
    sys.stdin = sys.__stdin__ = _stream(0, sys.stdin)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, sys.stderr)  # type: ignore[misc]
    _end(_called())


def _stream(number: int, like: TextIO) -> Any:
    return open(number, "w" if number else "r", 1 if number == 2 else -1, encoding=like.encoding, errors=like.errors, closefd=False)


def _called() -> int:
    """The exit code of the command, as an interpreter has it."""
    from agentic.cli import main

    try:
        main()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        return -signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(code: int) -> NoReturn:
    """Ends as an interpreter does: waits for threads, calls what was registered for it, writes what is left."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except OSError:
        code = 120
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _fixed(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_FIXED) and name not in _TAKEN_UP}


def _request(asker: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, streams, _, _ = socket.recv_fds(asker, _LENGTH, 3)
    rest, data = int.from_bytes(head, "big"), b""
    while len(data) < rest:
        data += asker.recv(rest - len(data))
    return json.loads(data), streams


def _write_line(link: socket.socket, message: Mapping[str, Any]) -> None:
    link.sendall(json.dumps(message).encode() + b"\n")


def _read_line(link: socket.socket) -> dict[str, Any]:
    """The next message. Raises UnfitServerError where the server is gone, TimeoutError, BlockingIOError."""
    data = b""
    while not data.endswith(b"\n"):
        byte = link.recv(1)  # the next message may have come, too
        if not byte:
            raise UnfitServerError("the fork server ended")
        data += byte
    message: dict[str, Any] = json.loads(data)
    return message
