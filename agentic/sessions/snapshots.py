"""What a command changes or deletes can be brought back: the folder's files by content, remembered before it runs.

Files are copied into one file in the user's cache, once, and again when they have changed; the repository is left alone.
"""

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from stat import S_ISREG

from agentic.files import replace_file, shown
from agentic.files.beneath import read_regular
from agentic.files.walk import Folder, folders_below
from agentic.files.watch import Watch
from agentic.workspace import fingerprint

MAX_FILES = 50_000
MAX_FILE_BYTES = 16 << 20
MAX_IGNORED_BYTES = 1 << 20  # of a file that .gitignore leaves out: a `.env`, not a build
MAX_BYTES = 1 << 30
OLD_SECONDS = 30 * 86_400
_CHUNK = 1 << 20


Stamp = tuple[int, int, int]
UNKNOWN = "?"  # the fingerprint of what was too large to be kept


@dataclass(slots=True)
class Kept:
    """A file: (time of its last change in ns, size, inode), where its content stands, and whether .gitignore leaves it out."""

    stamp: Stamp
    offset: int
    ignored: bool


@dataclass(frozen=True, slots=True)
class CommandChange:
    """What became of a file: its content before and the fingerprint of the one after; None is no file.

    `known`: what it was before is known, so it can be brought back.
    """

    path: str
    before: bytes | None
    after: str | None
    ignored: bool
    known: bool = True


@dataclass(slots=True)
class _Missing:
    """Files whose content is not kept, and why."""

    large: int = 0
    many: int = 0
    size: int = 0
    paths: dict[str, Stamp] = field(default_factory=dict)


class Snapshots:
    """Of one folder. Everything here blocks; one thread at a time. `extra` are further files to keep, from the root."""

    def __init__(self, root: Path, cache: Path, extra: Callable[[], Iterator[str]] = lambda: iter(())) -> None:
        self._root = root
        self._folder = cache / "snapshots" / hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self._extra = extra
        self._kept: dict[str, Kept] = {}
        self._by_folder: dict[str, set[str]] = {}
        self._missing = _Missing()
        self._end = 0
        self._pack = -1
        self._watch = Watch()
        self._extra_known = set[str]()
        self._tells = False

    def take(self) -> None:
        """The folder as it is now is what can be brought back. Raises OSError where nothing can be kept."""
        if self._pack < 0:
            self._open()
        self._tells = False
        deque(self._update(), maxlen=0)

    def changes(self) -> Iterator[CommandChange]:
        """What has changed since `take`, one after the other; at the end it is taken again."""
        self._tells = True
        if self._pack >= 0:
            yield from self._update()

    def left_out(self) -> str:
        """What cannot be brought back, "" for nothing."""
        missing, parts = self._missing, []
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
        self._watch.close()
        index = {path: [*kept.stamp, kept.offset, kept.ignored] for path, kept in self._kept.items()}
        with suppress(OSError):
            replace_file(self._folder / "index.json", json.dumps(index).encode())
        os.close(self._pack)
        self._pack = -1

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old(self._folder.parent)
        name = self._folder / "contents"
        known = self._read_index() if name.exists() else {}
        used = sum(kept.stamp[1] for kept in known.values())
        if known and name.stat().st_size > 2 * used + _CHUNK:  # mostly of what is no more
            known = {}
        if not known:
            name.unlink(missing_ok=True)
        self._pack = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = os.lseek(self._pack, 0, os.SEEK_END)
        os.utime(self._folder)
        self._kept = {path: kept for path, kept in known.items() if kept.offset + kept.stamp[1] <= self._end}

    def _read_index(self) -> dict[str, Kept]:
        try:
            index = json.loads((self._folder / "index.json").read_bytes())
            return {path: Kept((entry[0], entry[1], entry[2]), entry[3], entry[4]) for path, entry in index.items()}
        except (OSError, ValueError, AttributeError, IndexError, TypeError, RecursionError):
            return {}

    def _update(self) -> Iterator[CommandChange]:
        """Looks at what may have changed, keeps it, and says what did."""
        touched = self._watch.touched() if self._by_folder else None
        if touched != set():
            seen = set[str]()
            for folder in folders_below(self._root) if touched is None else self._touched(touched):
                if folder.path not in seen:
                    seen.add(folder.path)
                    yield from self._look(folder)
            for path in [path for path in self._by_folder if path not in seen and (touched is None or not self._is_there(path))]:
                for name in sorted(self._by_folder.pop(path)):
                    yield from self._gone(name)
        yield from self._look_at_extra()

    def _is_there(self, folder: str) -> bool:
        return (self._root / folder).is_dir()

    def _touched(self, paths: set[str]) -> Iterator[Folder]:
        """Those folders alone, and what is new below them."""
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
                stamp = (info.st_mtime_ns, info.st_size, info.st_ino)
                yield from self._seen(path, stamp, partial(folder.ignores, entry.name))
        for path in sorted(known - here):
            yield from self._gone(path)
        self._by_folder[folder.path] = here

    def _look_at_extra(self) -> Iterator[CommandChange]:
        now = set(self._extra())
        for path in sorted(now | self._extra_known):
            stamp = self._stamp(path)
            if stamp is not None:
                yield from self._seen(path, stamp, lambda: True)
            elif path in self._kept:
                yield from self._gone(path)
        self._extra_known = now

    def _stamp(self, path: str) -> Stamp | None:
        try:
            info = os.lstat(self._root / path)
        except OSError:
            return None
        return (info.st_mtime_ns, info.st_size, info.st_ino) if S_ISREG(info.st_mode) else None

    def _seen(self, path: str, stamp: Stamp, ignored: Callable[[], bool]) -> Iterator[CommandChange]:
        kept = self._kept.get(path)
        if stamp in (kept.stamp if kept else None, self._missing.paths.get(path)):
            return
        known = path not in self._missing.paths
        before = self._content(kept) if kept is not None and self._tells else None
        is_ignored = kept.ignored if kept is not None else ignored()
        after = self._keep(path, stamp, is_ignored)
        if self._tells and (before is None or before != after):
            name = fingerprint(after) if after is not None else UNKNOWN
            yield CommandChange(shown(path), before, name, is_ignored, known)

    def _gone(self, path: str) -> Iterator[CommandChange]:
        kept = self._kept.pop(path, None)
        known = self._missing.paths.pop(path, None) is None
        if self._tells:
            yield CommandChange(shown(path), self._content(kept) if kept else None, None, bool(kept and kept.ignored), known)

    def _keep(self, path: str, stamp: Stamp, ignored: bool) -> bytes | None:
        """Copies a file's content; None where that is too much."""
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
            return None
        missing.paths.pop(path, None)
        os.pwrite(self._pack, data, self._end)
        self._kept[path] = Kept(stamp, self._end, ignored)
        self._end += size
        return data

    def _content(self, kept: Kept) -> bytes:
        return os.pread(self._pack, kept.stamp[1], kept.offset)


def _forget_old(folder: Path) -> None:
    """What no session has used for a month."""
    import shutil

    for path in folder.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > OLD_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
