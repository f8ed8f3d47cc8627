"""Finding files by a few letters of their names, fast enough for every key that is pressed."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from agentic.lib.files.walk import files_below

FRESH_SECONDS = 5.0  # so old a list is looked over again
MAX_FILES = 500_000
MAX_RANKED = 2_000  # of the matches are put in order


class FileFinder:
    """The files and folders below `root` that no .gitignore leaves out; a thread looks them over, and nobody waits for it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: tuple[str, ...] = ()
        self._lowered: tuple[str, ...] = ()
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
        self._names, self._lowered = names, tuple(name.lower() for name in names)
        self._looked = time.monotonic()

    def find(self, letters: str) -> Iterator[str]:
        """`matching` names, as far as they are known by now; folders end in a slash."""
        return matching(self._names, self._lowered, letters)


def matching(names: Sequence[str], lowered: Sequence[str], letters: str) -> Iterator[str]:
    """The names that have the letters in them, one behind the other before those that only have them in this order.

    `lowered` are the same names in lower case.
    """
    if not letters:
        yield from sorted(names, key=lambda name: (name.rstrip("/").count("/"), name))
        return
    letters = letters.lower()
    near = list(islice((place for place, name in enumerate(lowered) if letters in name), MAX_RANKED))
    yield from sorted((names[place] for place in near), key=lambda name: _rank(name, letters))
    places: Sequence[int] = range(len(lowered))
    for letter in dict.fromkeys(letters):  # most names lack one of them, which is quickly seen
        places = [place for place in places if letter in lowered[place]]
    in_order, known = _in_order(letters), set(near)
    yield from (names[place] for place in places if place not in known and in_order.search(lowered[place]))


def _slashes(name: str) -> Iterator[int]:
    return (place for place, letter in enumerate(name) if letter == "/")


def _in_order(letters: str) -> "re.Pattern[str]":
    return re.compile(".*?".join(map(re.escape, letters)), re.DOTALL)


def _rank(name: str, letters: str) -> tuple[bool, bool, int, str]:
    """The smaller the better: the last part begins with it, has it, is short."""
    last = name.rstrip("/").rpartition("/")[2].lower()
    return not last.startswith(letters), letters not in last, len(name), name
