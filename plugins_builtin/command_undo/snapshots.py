"""The content of a folder's files, remembered before a command runs: files that it changes or deletes can be brought back.

Files are copied into one file in the user's cache, once, and again when they have changed; the repository is left alone.
What is known of them is on the disk before the command begins: a kill in the middle of it loses nothing.
"""

import errno
import fcntl
import hashlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from functools import partial
from itertools import chain, count
from pathlib import Path
from stat import S_IMODE, S_ISREG
from types import MappingProxyType

from agentic.lib.files import make_own, printable_name, private, replace_file
from agentic.lib.files.beneath import read_regular
from agentic.lib.files.walk import Folder, folders_below
from agentic.lib.files.watch import FolderWatch
from agentic.lib.record import record
from agentic.lib.workspace import fingerprint
from agentic.sessions.undo import CommandChange

MAX_FILES = 50_000
MAX_FILE_BYTES = 16 << 20
MAX_IGNORED_BYTES = 1 << 20  # of a file that .gitignore leaves out: a `.env`, not a build
MAX_BYTES = 1 << 30
OLD_SECONDS = 30 * 86_400
_CHUNK = 1 << 20
_INDEX, _RUNNING = "index", "running"
_NOT_KEPT = -1


Stamp = tuple[int, int, int]
UNKNOWN = "?"  # the fingerprint of what was too large to be kept


@record(slots=True)
class Kept:
    """A file: (the time of its last change in ns that nobody can set, size, inode), where its content stands, and whether
    .gitignore leaves it out."""

    stamp: Stamp
    offset: int
    ignored: bool
    mode: int


@record(slots=True)
class _Missing:
    """Files whose content is not kept, and why."""

    large: int = 0
    many: int = 0
    size: int = 0
    paths: dict[str, Stamp] = field(default_factory=dict)


class Snapshots:
    """The snapshots of one folder. Everything here blocks; one thread at a time.

    `extra` are further files to keep, by path from the root.
    Of a file whose path `minds_mode` another mode is a change, too. While it `holds`, such files are compared with what they were
    before, again and again, and what they are now is not taken over, but for what has the fingerprint that is its `own`.
    """

    def __init__(
        self,
        root: Path,
        cache: Path,
        extra: Callable[[], Mapping[str, os.stat_result]] = dict,
        minds_mode: Callable[[str], object] = lambda path: False,
    ) -> None:
        self._minds_mode = minds_mode
        self._root = root
        self._all = self._folder = _place(root, cache)
        self._lock = -1
        self._log = list[str]()
        self._extra = extra
        self._kept: dict[str, Kept] = {}
        self._by_folder: dict[str, set[str]] = {}
        self._missing = _Missing()
        self._end = 0
        self._pack = -1
        self._watch = FolderWatch()
        self._extra_known = set[str]()
        self._tells = False
        self._has_looked = False
        self._working = threading.Lock()
        self._ends = False
        self._told = set[str]()  # of what it holds
        self.holds = False
        self.own: Mapping[str, str | None] = {}

    def take(self, command_of: str = "", stands: Mapping[str, str] = MappingProxyType({})) -> None:
        """The folder as it is now is what can be brought back. Raises OSError where nothing can be kept.

        With the name of a session a command of its begins now, which `interrupted` tells of until `ended`, and of what `stands`
        there.
        """
        with self._working:
            self.open()
            self._tells = False
            deque(self._update(), maxlen=0)
            self._write_log()
            if command_of:
                (self._folder / _RUNNING).write_text(json.dumps([command_of, dict(stands)]))

    def ended(self) -> None:
        """The command ended, and what it did is known."""
        self._write_log()
        (self._folder / _RUNNING).unlink(missing_ok=True)

    def interrupted(self) -> tuple[str, dict[str, str]]:
        """(the session whose command ran when its process was killed, "" for none, what stood there): `changes` are what was done
        since it began."""
        self.open()
        return self._running()

    def _running(self) -> tuple[str, dict[str, str]]:
        try:
            name, stands = json.loads((self._folder / _RUNNING).read_text())
        except (OSError, ValueError):
            return "", {}
        return str(name), dict(stands)

    def changes(self) -> Iterator[CommandChange]:
        """Yields the changes since `take`, one after the other; at the end the snapshot is taken again."""
        self._tells = True
        self._told.clear()
        if self._pack >= 0:
            yield from self._update()

    def is_full(self, paths: Iterable[str]) -> bool:
        """True if one of these is not kept for want of room."""
        missing = self._missing
        if not (missing.many or missing.size):
            return False
        return any(path in missing.paths and missing.paths[path][1] < MAX_IGNORED_BYTES for path in paths)

    def left_out(self) -> str:
        """Says how many files cannot be brought back, and why; "" for none."""
        missing, parts = self._missing, []
        if missing.large:
            parts.append(f"{missing.large} files of more than {MAX_FILE_BYTES >> 20} MB")
        if missing.many:
            parts.append(f"{missing.many} files beyond {MAX_FILES:,}")
        if missing.size:
            parts.append(f"{missing.size} files beyond {MAX_BYTES >> 30} GB together")
        return ", ".join(parts)

    def close(self) -> None:
        """Keeps for the next session what was learned; a `take` that goes on in another thread ends at its next file."""
        self._ends = True
        with self._working:
            self._close()

    def _close(self) -> None:
        if self._pack < 0:
            return
        self._watch.close()
        if not (self._folder / _RUNNING).exists():
            lines = [_line(path, kept.stamp, kept.offset, kept.ignored, kept.mode) for path, kept in self._kept.items()]
            with suppress(OSError):
                replace_file(self._folder / _INDEX, "".join(lines).encode())
        os.close(self._pack)
        os.close(self._lock)
        self._pack = self._lock = -1

    def open(self) -> None:
        """Takes up what the last session learned. Raises OSError."""
        if self._pack >= 0:
            return
        make_own(self._all)
        _forget_old(self._all.parent)
        os.utime(self._all)
        self._folder, self._lock = _claimed(self._all)
        name = self._folder / "contents"
        self._pack = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = os.lseek(self._pack, 0, os.SEEK_END)
        self._read_index()
        used = sum(kept.stamp[1] for kept in self._kept.values())
        if self._end > 2 * used + _CHUNK and not self._running()[0]:  # mostly of what is no more
            self._kept, self._missing, self._end = {}, _Missing(), 0
            self._by_folder.clear()
            (self._folder / _INDEX).unlink(missing_ok=True)
            os.ftruncate(self._pack, 0)

    def _read_index(self) -> None:
        try:
            lines = (self._folder / _INDEX).read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            with suppress(ValueError, TypeError, IndexError, RecursionError):  # torn by a kill
                path, *entry = json.loads(line)
                self._kept.pop(path, None)
                self._missing.paths.pop(path, None)
                if entry and entry[3] == _NOT_KEPT:
                    self._missing.paths[path] = (entry[0], entry[1], entry[2])
                elif entry and entry[3] + entry[1] <= self._end:
                    self._kept[path] = Kept((entry[0], entry[1], entry[2]), entry[3], entry[4], entry[5])
        for path in (*self._kept, *self._missing.paths):
            self._by_folder.setdefault(path[: path.rfind("/") + 1], set()).add(path)

    def _write_log(self) -> None:
        if self._log:
            with open(self._folder / _INDEX, "a", opener=private) as file:
                file.write("".join(self._log))
            self._log.clear()

    def _update(self) -> Iterator[CommandChange]:
        """Looks at what may have changed, keeps it, and says what did."""
        touched = self._watch.touched() if self._has_looked else None
        self._has_looked = True
        if touched != set():
            seen = set[str]()
            for folder in folders_below(self._root) if touched is None else self._touched(touched):
                if folder.path not in seen:
                    seen.add(folder.path)
                    yield from self._look(folder)
            for path in [path for path in self._by_folder if path not in seen and (touched is None or not self._is_there(path))]:
                names = self._by_folder.pop(path)
                for name in sorted(names):
                    if self._regular(name) is None:  # else it is only not walked
                        yield from self._note_removal(name)
                if held := {name for name in names if name in self._kept}:
                    self._by_folder[path] = held
        yield from self._look_at_extra()

    def _is_there(self, folder: str) -> bool:
        return (self._root / folder).is_dir()

    def _touched(self, paths: set[str]) -> Iterator[Folder]:
        """Yields the folders at `paths` alone, and the new ones below them."""
        for path in sorted(paths):
            for folder in folders_below(self._root, path or "."):
                if folder.path == path or folder.path not in self._by_folder:
                    yield folder

    def _look(self, folder: Folder) -> Iterator[CommandChange]:
        known, here = self._by_folder.setdefault(folder.path, set()), set[str]()
        self._watch.add(str(self._root), [folder.path])
        for entry in folder.files:
            path = folder.path + entry.name
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if S_ISREG(info.st_mode):
                here.add(path)
                yield from self._seen(path, info, partial(folder.ignores, entry.name))
        for path in sorted(known - here):
            yield from self._note_removal(path)
        self._by_folder[folder.path] = here | {path for path in known - here if path in self._kept}

    def _look_at_extra(self) -> Iterator[CommandChange]:
        extra = self._extra()
        for path in sorted(self._extra_known - extra.keys()):
            info = self._regular(path)
            if info is not None:
                yield from self._seen(path, info, lambda: True)
            elif path in self._kept or path in self._missing.paths:
                yield from self._note_removal(path)
        for path, info in extra.items():
            kept = self._kept.get(path)
            if kept is None or kept.stamp != _stamp(info):
                yield from self._seen(path, info, lambda: True)
        self._extra_known = {path for path in self._extra_known if self._is_held(path)} | set(extra)

    def _is_held(self, path: str) -> bool:
        return self.holds and bool(self._minds_mode(path))

    def _regular(self, path: str) -> os.stat_result | None:
        try:
            info = os.lstat(self._root / path)
        except OSError:
            return None
        return info if S_ISREG(info.st_mode) else None

    def _seen(self, path: str, info: os.stat_result, ignored: Callable[[], bool]) -> Iterator[CommandChange]:
        kept, stamp = self._kept.get(path), _stamp(info)
        if stamp in (kept.stamp if kept else None, self._missing.paths.get(path)):
            return
        if self._is_held(path):
            yield from self._compared(path, kept, info)
            return
        known = path not in self._missing.paths
        before = self._content(kept) if kept is not None and self._tells else None
        is_ignored = kept.ignored if kept is not None else ignored()
        after = self._keep(path, stamp, is_ignored, S_IMODE(info.st_mode))
        has_mode = kept is None or kept.mode == S_IMODE(info.st_mode) or not self._minds_mode(path)
        if self._tells and (before is None or before != after or not has_mode):
            name = fingerprint(after) if after is not None else UNKNOWN
            yield CommandChange(printable_name(path), before, name, is_ignored, known, kept.mode if kept else None)

    def _compared(self, path: str, kept: Kept | None, info: os.stat_result) -> Iterator[CommandChange]:
        """Yields the change of a file that is held to its earlier state, if it has changed."""
        if not self._tells or path in self._told:
            return
        self._told.add(path)
        try:
            now = read_regular(self._root / path, MAX_FILE_BYTES, follow=False)
        except OSError:
            now = None
        before, mode = self._content(kept) if kept is not None else None, S_IMODE(info.st_mode)
        if now is None or now != before or (kept is not None and kept.mode != mode):
            name = fingerprint(now) if now is not None else UNKNOWN
            if now is not None and self.own.get(printable_name(path)) == name:
                self._store(path, _stamp(info), now, True, mode)
            known = path not in self._missing.paths
            mode_before, inode = (kept.mode, kept.stamp[2]) if kept is not None else (None, 0)
            yield CommandChange(printable_name(path), before, name, True, known, mode_before, inode)

    def _note_removal(self, path: str) -> Iterator[CommandChange]:
        if self._is_held(path):
            if self._tells and path not in self._told and (kept := self._kept.get(path)) is not None:
                self._told.add(path)
                yield CommandChange(printable_name(path), self._content(kept), None, kept.ignored, True, kept.mode)
            return
        kept = self._kept.pop(path, None)
        known = self._missing.paths.pop(path, None) is None
        self._log.append(_line(path))
        if self._tells:
            before, mode, was_ignored = (self._content(kept), kept.mode, kept.ignored) if kept else (None, None, False)
            yield CommandChange(printable_name(path), before, None, was_ignored, known, mode)

    def _keep(self, path: str, stamp: Stamp, ignored: bool, mode: int) -> bytes | None:
        """Copies a file's content; None where that is too much."""
        if self._ends:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        size, missing = stamp[1], self._missing
        large = size > (MAX_IGNORED_BYTES if ignored else MAX_FILE_BYTES)
        many, full = len(self._kept) >= MAX_FILES, self._end + size > MAX_BYTES
        missing.large += large and not ignored
        missing.many += many and not large
        missing.size += full and not large and not many
        try:
            data = None if large or many or full else read_regular(self._root / path, MAX_FILE_BYTES, follow=False)
        except OSError:
            data = None
        if data is None or len(data) != size:
            self._kept.pop(path, None)
            missing.paths[path] = stamp
            self._log.append(_line(path, stamp, _NOT_KEPT, ignored))
            return None
        self._store(path, stamp, data, ignored, mode)
        return data

    def _store(self, path: str, stamp: Stamp, data: bytes, ignored: bool, mode: int) -> None:
        stamp = (stamp[0], len(data), stamp[2])
        self._missing.paths.pop(path, None)
        os.pwrite(self._pack, data, self._end)
        self._kept[path] = Kept(stamp, self._end, ignored, mode)
        self._log.append(_line(path, stamp, self._end, ignored, mode))
        self._end += len(data)

    def _content(self, kept: Kept) -> bytes:
        return os.pread(self._pack, kept.stamp[1], kept.offset)


def _stamp(info: os.stat_result) -> Stamp:
    return info.st_ctime_ns, info.st_size, info.st_ino


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
