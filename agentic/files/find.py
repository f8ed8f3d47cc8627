"""Finding files by a few letters of their names, fast enough for every key that is pressed."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from agentic.files.walk import files_below

FRESH_SECONDS = 5.0  # so old a list is looked over again
MAX_FILES = 500_000
MAX_RANKED = 2_000  # of the matches are put in order


class FileFinder:
    """The files and folders below `root` that no .gitignore leaves out; a thread looks them over, and nobody waits for it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: tuple[str, ...] = ()
        self._joined = ""
        self._looked = 0.0
        self._thread: threading.Thread | None = None

    def look(self, wait: bool = False) -> None:
        """Brings the list up to date, in the background unless `wait`."""
        if time.monotonic() - self._looked > FRESH_SECONDS and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._walk, daemon=True)
            self._thread.start()
        if wait and self._thread is not None:
            self._thread.join()

    def _walk(self) -> None:
        files = list(islice(files_below(self._root), MAX_FILES))
        folders = {name[: place + 1] for name in files for place in _slashes(name)}
        names = tuple(chain(sorted(folders), files))
        self._names, self._joined = names, "\n".join(names)
        self._looked = time.monotonic()

    def find(self, letters: str) -> Iterator[str]:
        """`matching` names, as far as they are known by now; folders end in a slash."""
        return matching(self._names, self._joined, letters)


def matching(names: Sequence[str], joined: str, letters: str) -> Iterator[str]:
    """The names that have the letters in them, one behind the other before those that only have them in this order.

    `joined` are the names in one text, a line each: one search through it is faster than one in each name.
    """
    if not letters:
        yield from sorted(names, key=lambda name: (name.rstrip("/").count("/"), name))
        return
    folded = letters.lower()
    near = list(islice((name for name in names if folded in name.lower()), MAX_RANKED))
    yield from sorted(near, key=lambda name: _rank(name, folded))
    known = set(near)
    for match in _in_order(folded).finditer(joined):
        start, end = joined.rfind("\n", 0, match.start()) + 1, joined.find("\n", match.end())
        name = joined[start : end if end >= 0 else None]
        if name not in known:
            known.add(name)
            yield name


def _slashes(name: str) -> Iterator[int]:
    return (place for place, letter in enumerate(name) if letter == "/")


def _in_order(letters: str) -> "re.Pattern[str]":
    return re.compile("[^\n]*?".join(map(re.escape, letters)), re.IGNORECASE)


def _rank(name: str, letters: str) -> tuple[bool, bool, int, str]:
    """The smaller the better: the last part begins with it, has it, is short."""
    last = name.rstrip("/").rpartition("/")[2].lower()
    return not last.startswith(letters), letters not in last, len(name), name
