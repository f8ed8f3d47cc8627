"""The sockets of sessions that go on without a terminal: a file each in a folder that is the user's own."""

import json
import os
import socket
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
    """Raises ConfigError, OSError."""
    make_own(detached_folder())
    server = socket.socket(socket.AF_UNIX)
    with _address(name) as address:
        server.bind(address)
    _path(name).chmod(0o600)
    server.listen()
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
    except ConnectionRefusedError:
        remove(name)  # it was killed
        client.close()
        raise ConfigError(f"{name} runs no more", "agentic --continue goes on with what it had done") from None
    except OSError as error:
        client.close()
        raise ConfigError(f"{name} does not answer: {error.strerror or error}", "agentic ps lists what runs") from error
    line, _, rest = said.partition(b"\n")
    return client, json.loads(line), rest


def names() -> list[str]:
    """The newest last."""
    with suppress(OSError):
        found = sorted(detached_folder().glob(f"*{_ENDING}"), key=lambda path: path.stat().st_ctime)
        return [path.name.removesuffix(_ENDING) for path in found]
    return []


def states() -> list[Mapping[str, Any]]:
    """Each that runs, the newest last."""
    found: list[Mapping[str, Any]] = []
    for name in names():
        with suppress(ConfigError):
            client, state, _ = connected(name, want="state")
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
