"""The contents of a folder's files, kept outside of it: one file that grows, and an index of what stands where."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import field
from itertools import chain, count
from pathlib import Path

from agentic.lib.files import make_own, private, replace_file
from agentic.lib.files.beneath import read_regular
from agentic.lib.record import record

MAX_FILES = 50_000
MAX_FILE_BYTES = 16 << 20
MAX_IGNORED_BYTES = 1 << 20  # of a file that .gitignore leaves out: a `.env`, not a build
MAX_BYTES = 1 << 30
OLD_SECONDS = 30 * 86_400
_CHUNK = 1 << 20
_INDEX, _RUNNING = "index", "running"
_NOT_KEPT = -1


Stamp = tuple[int, int, int]


@record(slots=True)
class Kept:
    """A file: (the time of its last change in ns that nobody can set, size, inode), where its content stands, and whether
    .gitignore leaves it out."""

    stamp: Stamp
    offset: int
    ignored: bool
    mode: int


@record(slots=True)
class Missing:
    """Files whose content is not kept, and why."""

    large: int = 0
    many: int = 0
    size: int = 0
    paths: dict[str, Stamp] = field(default_factory=dict)


class Contents:
    """The contents kept for one folder. `kept` and `missing` say of which files. Everything here blocks; one thread at a time."""

    def __init__(self, root: Path, cache: Path) -> None:
        self._root = root
        self._all = self._folder = _place(root, cache)
        self._lock = -1
        self._log = list[str]()
        self.kept: dict[str, Kept] = {}
        self.missing = Missing()
        self._end = 0
        self._pack = -1

    @property
    def is_open(self) -> bool:
        """True if it was opened, and not closed since."""
        return self._pack >= 0

    def ended(self) -> None:
        """The command ended, and what it did is known."""
        self.write_log()
        (self._folder / _RUNNING).unlink(missing_ok=True)

    def begin(self, session: str, stands: Mapping[str, str]) -> None:
        """A command of that session begins, with that in the folder."""
        (self._folder / _RUNNING).write_text(json.dumps([session, dict(stands)]))

    def running(self) -> tuple[str, dict[str, str]]:
        """(the session whose command runs, or ran when its process was killed, "" for none, what stood there)"""
        try:
            name, stands = json.loads((self._folder / _RUNNING).read_text())
        except (OSError, ValueError):
            return "", {}
        return str(name), dict(stands)

    def is_full(self, paths: Iterable[str]) -> bool:
        """True if one of these is not kept for want of room."""
        missing = self.missing
        if not (missing.many or missing.size):
            return False
        return any(path in missing.paths and missing.paths[path][1] < MAX_IGNORED_BYTES for path in paths)

    def left_out(self) -> str:
        """Says how many files cannot be brought back, and why; "" for none."""
        missing, parts = self.missing, []
        if missing.large:
            parts.append(f"{missing.large} files of more than {MAX_FILE_BYTES >> 20} MB")
        if missing.many:
            parts.append(f"{missing.many} files beyond {MAX_FILES:,}")
        if missing.size:
            parts.append(f"{missing.size} files beyond {MAX_BYTES >> 30} GB together")
        return ", ".join(parts)

    def close(self) -> None:
        """Keeps for the next session what was learned."""
        if self._pack < 0:
            return
        if not (self._folder / _RUNNING).exists():
            lines = [_line(path, kept.stamp, kept.offset, kept.ignored, kept.mode) for path, kept in self.kept.items()]
            with suppress(OSError):
                replace_file(self._folder / _INDEX, "".join(lines).encode())
        os.close(self._pack)
        os.close(self._lock)
        self._pack = self._lock = -1

    def open(self) -> bool:
        """Takes up what the last session learned; True if it was not open yet. Raises OSError."""
        if self._pack >= 0:
            return False
        make_own(self._all)
        _forget_old(self._all.parent)
        os.utime(self._all)
        self._folder, self._lock = _claimed(self._all)
        name = self._folder / "contents"
        self._pack = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = os.lseek(self._pack, 0, os.SEEK_END)
        self._read_index()
        used = sum(kept.stamp[1] for kept in self.kept.values())
        if self._end > 2 * used + _CHUNK and not self.running()[0]:  # mostly of what is no more
            self.kept, self.missing, self._end = {}, Missing(), 0
            (self._folder / _INDEX).unlink(missing_ok=True)
            os.ftruncate(self._pack, 0)
        return True

    def _read_index(self) -> None:
        try:
            lines = (self._folder / _INDEX).read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            with suppress(ValueError, TypeError, IndexError, RecursionError):  # torn by a kill
                path, *entry = json.loads(line)
                self.kept.pop(path, None)
                self.missing.paths.pop(path, None)
                if entry and entry[3] == _NOT_KEPT:
                    self.missing.paths[path] = (entry[0], entry[1], entry[2])
                elif entry and entry[3] + entry[1] <= self._end:
                    self.kept[path] = Kept((entry[0], entry[1], entry[2]), entry[3], entry[4], entry[5])

    def write_log(self) -> None:
        """Writes what is known since the last time."""
        if self._log:
            with open(self._folder / _INDEX, "a", opener=private) as file:
                file.write("".join(self._log))
            self._log.clear()

    def keep(self, path: str, stamp: Stamp, ignored: bool, mode: int) -> bytes | None:
        """Copies a file's content; None where that is too much."""
        size, missing = stamp[1], self.missing
        large = size > (MAX_IGNORED_BYTES if ignored else MAX_FILE_BYTES)
        many, full = len(self.kept) >= MAX_FILES, self._end + size > MAX_BYTES
        missing.large += large and not ignored
        missing.many += many and not large
        missing.size += full and not large and not many
        try:
            data = None if large or many or full else read_regular(self._root / path, MAX_FILE_BYTES, follow=False)
        except OSError:
            data = None
        if data is None or len(data) != size:
            self.kept.pop(path, None)
            missing.paths[path] = stamp
            self._log.append(_line(path, stamp, _NOT_KEPT, ignored))
            return None
        self.store(path, stamp, data, ignored, mode)
        return data

    def forget(self, path: str) -> tuple[Kept | None, bool]:
        """(what was kept of a file that is gone, False for one that was too much to be kept)"""
        kept, known = self.kept.pop(path, None), self.missing.paths.pop(path, None) is None
        self._log.append(_line(path))
        return kept, known

    def store(self, path: str, stamp: Stamp, data: bytes, ignored: bool, mode: int) -> None:
        """Keeps these bytes as the file's."""
        stamp = (stamp[0], len(data), stamp[2])
        self.missing.paths.pop(path, None)
        os.pwrite(self._pack, data, self._end)
        self.kept[path] = Kept(stamp, self._end, ignored, mode)
        self._log.append(_line(path, stamp, self._end, ignored, mode))
        self._end += len(data)

    def content(self, kept: Kept) -> bytes:
        """Returns the bytes that were in the file."""
        return os.pread(self._pack, kept.stamp[1], kept.offset)


def any_interrupted(root: Path, cache: Path) -> bool:
    """True if a command may have been cut off by a kill in this folder: cheap to ask."""
    return any(_place(root, cache).glob(f"*/{_RUNNING}"))


def _place(root: Path, cache: Path) -> Path:
    return cache / "snapshots" / hashlib.sha256(os.fsencode(root)).hexdigest()[:16]


def _line(path: str, stamp: Stamp = (0, 0, 0), offset: int = 0, ignored: bool = False, mode: int = 0) -> str:
    """Returns a line of the index: the facts known of a file from now on; with no stamp, that it is gone."""
    return json.dumps([path, *stamp, offset, ignored, mode] if any(stamp) else [path]) + "\n"


def _claimed(folder: Path) -> tuple[Path, int]:
    """(a folder in it that no other process uses, the lock that says so)"""
    interrupted = [path.parent for path in sorted(folder.glob(f"*/{_RUNNING}"))]
    for mine in chain(interrupted, (folder / str(number) for number in count())):
        make_own(mine)
        lock = os.open(mine / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return mine, lock
        except BlockingIOError:
            os.close(lock)
        except OSError:
            os.close(lock)
            raise
    raise AssertionError  # count() has no end


def _forget_old(folder: Path) -> None:
    """Removes the folders that no session has used for a month."""
    import shutil

    for path in folder.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > OLD_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
