"""The fork server's own side: it imports once, and becomes a command in each process that it forks."""

import atexit
import fcntl
import gc
import importlib
import io
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import termios
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import _lru_cache_wrapper
from importlib.metadata import entry_points
from typing import Any, NoReturn

LENGTH = 4  # bytes that say how long a request is


class UnfitServerError(Exception):
    """A fork from this server would not be what a fresh process is: nothing that it says can be believed."""


def serve(number: int, modules: Sequence[str]) -> None:
    """The server itself, until nobody is at the other end of the socket of that number."""
    link = socket.socket(fileno=number)
    sys.path[:] = [path for path in sys.path if path]  # of a command it is the command's folder
    _preload(modules)
    caches = _caches()
    gc.freeze()
    write_line(link, {"fault": _fault(caches)})
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
                if (pid := _forked(asker, [link, *children.values()], caches)) is not None:
                    children[pid] = asker
                else:
                    asker.close()


def _forked(asker: socket.socket, others: Sequence[socket.socket], caches: Sequence["_lru_cache_wrapper[Any]"]) -> int | None:
    """The process that now is the command that is asked for; None where nobody asks any more, or a fork would not be fit."""
    streams: list[int] = []
    try:
        request = _request(asker, streams)
        if fault := _fault(caches):
            write_line(asker, {"fault": fault})
            return None
        pid = os.fork()
        if pid == 0:
            for each in (asker, *others):
                each.detach()
            _work(request, streams)
        with suppress(OSError):  # who asked may be gone; the command goes on
            write_line(asker, {"pid": pid})
        return pid
    except (OSError, ValueError):  # gone before the request was whole
        return None
    finally:
        for descriptor in streams:
            os.close(descriptor)


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
                write_line(asker, {"code": os.waitstatus_to_exitcode(ended[1])})


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
    servers_path = _python_path()
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    time.tzset()
    sys.argv = ["agentic", *request["arguments"]]
    sys.path[:] = [os.getcwd(), *_python_path(), *(path for path in sys.path if path not in servers_path)]
    importlib.invalidate_caches()
    sys.stdin = sys.__stdin__ = _stream(0, sys.stdin)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, sys.stderr)  # type: ignore[misc]
    _end(_called())


def _python_path() -> list[str]:
    return [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _stream(number: int, like: Any) -> Any:
    """Opens a standard stream as an interpreter does: no line end is translated."""
    direct = number > 0 and like.write_through  # PYTHONUNBUFFERED
    raw = open(number, "wb" if number else "rb", 0 if direct else -1, closefd=False)  # noqa: SIM115
    lines = number == 2 or (number == 1 and raw.isatty())
    return io.TextIOWrapper(raw, like.encoding, like.errors, "\n", line_buffering=lines, write_through=direct)


def _called() -> int | None:
    """The exit code of the command, as an interpreter has it; None where Ctrl-C ended it: it ends by that signal."""
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
        return None
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(code: int | None) -> NoReturn:
    """Ends as an interpreter does: waits for threads, calls what was registered for it, writes what is left."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # what is told of objects at their end
    for stream in dict.fromkeys((sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError as error:
            code = 120
            with suppress(OSError, ValueError, AttributeError):
                print(f"Exception ignored in: {stream!r}\n{type(error).__name__}: {error}", file=sys.stderr)
    if code is None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit((code or 0) & 0xFF)


def _request(asker: socket.socket, streams: list[int]) -> dict[str, Any]:
    """Receives what is to be run; `streams` gets its descriptors. Raises OSError where the other end is gone."""
    head, numbers, _, _ = socket.recv_fds(asker, LENGTH, 3)
    streams += numbers
    rest, data = int.from_bytes(head, "big"), b""
    while len(data) < rest:
        if not (more := asker.recv(rest - len(data))):
            raise ConnectionError("the request is not whole")
        data += more
    request: dict[str, Any] = json.loads(data)
    return request


def write_line(link: socket.socket, message: Mapping[str, Any]) -> None:
    link.sendall(json.dumps(message).encode() + b"\n")


def read_line(link: socket.socket) -> dict[str, Any]:
    """The next message. Raises UnfitServerError where the server is gone, TimeoutError, BlockingIOError."""
    data = b""
    while not data.endswith(b"\n"):
        byte = link.recv(1)  # the next message may have come, too
        if not byte:
            raise UnfitServerError("the fork server ended")
        data += byte
    message: dict[str, Any] = json.loads(data)
    return message
