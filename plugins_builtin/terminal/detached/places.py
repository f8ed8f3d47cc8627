"""The sockets of sessions that go on without a terminal: a file each in a folder that is the user's own."""

import json
import os
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agentic import ConfigError
from agentic.folders import state_folder
from agentic.lib.files import make_own

MAX_PATH = 100  # bytes of a socket's address
SECONDS = 5.0  # for an answer: a session that is stopped (by SIGSTOP) gives none
_ENDING = ".sock"
_STATE = {"name", "pid", "folder", "session", "task", "state", "since", "clients"}  # what a session says of itself


def detached_folder() -> Path:
    return state_folder() / "detached"


def _path(name: str) -> Path:
    return detached_folder() / f"{name}{_ENDING}"


@contextmanager
def _address(name: str) -> Iterator[str]:
    """The socket's address, also where its path is longer than one may be. Raises ConfigError."""
    path = _path(name)
    if len(os.fsencode(path)) <= MAX_PATH:
        yield str(path)
    elif os.path.isdir("/proc/self/fd"):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}/{path.name}"
        finally:
            os.close(folder)
    else:
        raise ConfigError(f"{path} is too long for a socket", "set XDG_STATE_HOME to a folder with a shorter path")


def listening(name: str) -> socket.socket:
    """A socket that nobody but the user reaches. Raises ConfigError."""
    folder, server = detached_folder(), socket.socket(socket.AF_UNIX)
    try:
        make_own(folder)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ConfigError(f"{folder} is no folder of yours", "remove it")
        folder.chmod(0o700)
        with _address(name) as address:
            server.bind(address)
        _path(name).chmod(0o600)
        server.listen()
    except OSError as error:
        server.close()
        raise ConfigError(
            f"no socket can be made in {folder}: {error.strerror}", "make room for it, or set XDG_STATE_HOME"
        ) from error
    server.setblocking(False)
    return server


def remove(name: str) -> None:
    _path(name).unlink(missing_ok=True)


def is_there(name: str) -> bool:
    return _path(name).exists()


def connected(name: str, **wanted: Any) -> tuple[socket.socket, dict[str, Any], bytes]:
    """(the connection, what was answered to what is `wanted`, what came after that). Raises ConfigError where nobody answers."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(SECONDS)
    try:
        with _address(name) as address:
            client.connect(address)
        client.sendall(json.dumps(wanted).encode() + b"\n")
        said = b""
        while b"\n" not in said:
            if not (data := client.recv(65536)):
                raise ConnectionResetError
            said += data
        line, _, rest = said.partition(b"\n")
        state = json.loads(line)
        if not set(state if isinstance(state, dict) else ()) >= _STATE:
            raise ValueError
    except ValueError:
        client.close()
        raise ConfigError(f"{name} is no session of agentic's", f"remove {_path(name)}") from None
    except ConnectionRefusedError:
        remove(name)  # it was killed
        client.close()
        raise ConfigError(f"{name} runs no more", "agentic --continue goes on with what it had done") from None
    except OSError as error:
        client.close()
        raise ConfigError(f"{name} does not answer: {error.strerror or error}", "agentic ps lists what runs") from error
    return client, state, rest


def names() -> list[str]:
    """The newest last."""
    with suppress(OSError):
        found = [(path.stat().st_ctime, path) for path in detached_folder().glob(f"*{_ENDING}") if path.is_socket()]
        return [path.name.removesuffix(_ENDING) for _, path in sorted(found)]
    return []


def states() -> list[Mapping[str, Any]]:
    """Each that runs, the newest last."""
    found: list[Mapping[str, Any]] = []
    for name in names():
        try:
            client, state, _ = connected(name, want="state")
        except ConfigError as error:
            if is_there(name):
                found.append(
                    {"name": name, "state": "silent", "task": str(error), "folder": "", "since": time.time(), "clients": 0}
                )
        else:
            client.close()
            found.append(state)
    return found


def age(since: float) -> str:
    """In words: "3 min"."""
    seconds = max(0, int(time.time() - since))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
