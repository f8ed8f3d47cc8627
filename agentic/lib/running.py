"""The requests that this user's runs have in flight on this machine: each process keeps one small file, as long as it runs."""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from agentic.folders import state_folder
from agentic.lib.files import make_own, private
from agentic.lib.record import record

FRESH_SECONDS = 5.0  # an older file is of a process that was killed, or has nothing in flight
_PAUSE = 0.4  # between two writings


@record(frozen=True, slots=True)
class RunningWork:
    """A process's requests in flight, by endpoint and lane."""

    process: int
    lanes: Mapping[str, Mapping[str, int]]


class Board:
    """This process's file."""

    def __init__(self) -> None:
        self._path = _folder() / f"{os.getpid()}.json"
        self._lanes: dict[str, Mapping[str, int]] = {}
        self._written = 0.0

    def put(self, endpoint: str, lanes: Mapping[str, int]) -> None:
        """Records the requests in flight at the endpoint now, by lane. A folder that cannot be written costs nothing but this."""
        self._lanes[endpoint] = dict(lanes)
        if time.monotonic() - self._written < _PAUSE:
            return
        self._written = time.monotonic()
        with contextlib.suppress(OSError):
            make_own(self._path.parent)
            fresh = self._path.with_suffix(".new")
            with open(fresh, "w", opener=private) as file:
                json.dump(self._lanes, file)
            fresh.replace(self._path)

    def remove(self) -> None:
        """It is over."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def running() -> list[RunningWork]:
    """Returns the requests in flight of all processes."""
    found = []
    for path in sorted(_folder().glob("*.json")):
        try:
            if time.time() - path.stat().st_mtime < FRESH_SECONDS:
                found.append(RunningWork(int(path.stem), json.loads(path.read_text())))
        except (OSError, ValueError):
            continue
    return found


def _folder() -> Path:
    return state_folder() / "running"
