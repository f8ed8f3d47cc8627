"""Which processes run, on any system."""

import subprocess
import time
from collections.abc import Callable, Collection
from pathlib import Path

from tests.conftest import PORTABLE


def soon(holds: Callable[[], bool], seconds: float = 20) -> bool:
    """True if it holds within so many seconds."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def sleepers(seconds: str) -> list[int]:
    """The processes that are `sleep SECONDS`, or whose number begins so."""
    return [pid for pid, words in _commands() if words[0] == "sleep" and words[1:] and words[1].startswith(seconds)]


def children_of(pid: int) -> list[int]:
    """The processes that it started and that still run."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in threads for child in each.read_text().split()]


def runs(pids: Collection[int]) -> bool:
    """True while any of them runs."""
    return any(pid in pids and words != [""] for pid, words in _commands())


def _commands() -> list[tuple[int, list[str]]]:
    if PORTABLE:
        listing = subprocess.run(["ps", "-axo", "pid=,stat=,args="], capture_output=True, text=True).stdout
        rows = [line.split() for line in listing.splitlines()]
        return [(int(pid), words) for pid, state, *words in rows if words and state[0] != "Z"]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        found.append((int(folder.name), words))
    return found
