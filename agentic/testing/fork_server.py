"""`agentic` as a process of its own, forked from one that has imported it: a test from outside at a fraction of the cost.

with ForkServer() as server:
    done = server.run(["ask", "hi", "--endpoint", url], cwd=folder, env={"HOME": str(home)})
    assert (done.returncode, done.stdout) == (0, "Hello")
"""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from agentic.testing.forking import LENGTH, UnfitServerError, read_line

_FIXED = ("LANG", "LC_", "PYTHON", "LD_PRELOAD", "LD_AUDIT")  # what an interpreter and its loader read once, at the start
_AT_START = ("sitecustomize.py", "sitecustomize", "usercustomize.py", "usercustomize")  # what it runs once


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
        """The exit code, negative for a signal. Raises subprocess.TimeoutExpired, UnfitServerError where its server has ended."""
        if self.returncode is None:
            try:
                self._link.settimeout(timeout)
                self.returncode = int(read_line(self._link)["code"])
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired("agentic", timeout or 0.0) from error
            except (OSError, UnfitServerError) as error:
                self._link.close()
                raise UnfitServerError("the fork server ended") from error
            self._link.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        with suppress(UnfitServerError):  # it can be ended where its server has died, too
            self.poll()
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Has imported agentic, the installed plugins and `modules`; runs no thread, and forks a process for each command.

    `env` is the environment of its interpreter. A command's own environment may differ, but not in the locale and in `PYTHON…`
    variables (PYTHONPATH apart), which an interpreter reads once: such a command needs a fresh one. What a fork does not show: its
    umask and `/proc/PID/environ` are the server's, and no module in its folder takes the place of one that was imported.
    Raises UnfitServerError.
    """

    def __init__(self, modules: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        self._env = dict(os.environ if env is None else env)
        self._turn = threading.Lock()
        self._link, theirs = socket.socketpair()
        code = "import sys; from agentic.testing.forking import serve; serve(int(sys.argv[1]), sys.argv[2:])"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, str(theirs.fileno()), *modules],
                env=self._env,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for whoever runs the tests
            )
        if fault := read_line(self._link)["fault"]:
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
        """Ends the server; the processes that it forked go on, and nobody can wait for them any more."""
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

        Raises UnfitServerError, FileNotFoundError for `cwd`, ValueError for an environment that only a fresh interpreter takes up.
        """
        if differing := sorted(_fixed(env, Path(cwd)).items() ^ _fixed(self._env, Path()).items()):
            raise ValueError(f"{differing[0][0]} is read at the start of an interpreter: this command needs a fresh one")
        if not os.path.isdir(cwd):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(cwd))
        request = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "terminal": terminal}
        data = json.dumps(request).encode()
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._turn:
                socket.send_fds(self._link, [b"."], [theirs.fileno()])
            socket.send_fds(ours, [len(data).to_bytes(LENGTH, "big")], [stdin, stdout, stderr])
            ours.sendall(data)
            answer = read_line(ours)
            if "fault" in answer:
                raise UnfitServerError(answer["fault"])
        except OSError as error:
            ours.close()
            raise UnfitServerError("the fork server ended") from error
        except BaseException:
            ours.close()
            raise
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
    """A standard stream of a process: its end, and ours, which a thread of ours serves."""

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
        """Returns the text read until the other end was closed; None if that has not happened in time."""
        self._thread.join(max(0.0, end - time.monotonic()))
        return None if self._thread.is_alive() else self._read.decode().replace("\r\n", "\n").replace("\r", "\n")

    def _serve(self) -> None:
        if self._text is None:
            with open(self._ours, "rb") as file:
                self._read = file.read()
        else:
            with suppress(BrokenPipeError), open(self._ours, "wb") as file:
                file.write(self._text.encode())


def _fixed(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Returns the variables that only a fresh interpreter reads, and the files on its PYTHONPATH that it would run."""
    found = {name: value for name, value in env.items() if name.startswith(_FIXED) and name != "PYTHONPATH"}
    places = [folder / place / name for place in env.get("PYTHONPATH", "").split(os.pathsep) if place for name in _AT_START]
    return found | {str(path): "" for path in places if path.exists()}
