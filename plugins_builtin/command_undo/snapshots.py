"""The content of a folder's files, remembered before a command runs: files that it changes or deletes can be brought back.

Files are copied into one file in the user's cache, once, and again when they have changed; the repository is left alone.
What is known of them is on the disk before the command begins: a kill in the middle of it loses nothing.
"""

import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from stat import S_IMODE, S_ISREG
from types import MappingProxyType

from agentic.lib.files import printable_name
from agentic.lib.files.beneath import read_regular
from agentic.lib.files.walk import Folder, folders_below
from agentic.lib.files.watch import FolderWatch
from agentic.lib.workspace import fingerprint
from agentic.sessions.undo import CommandChange
from plugins_builtin.command_undo.contents import MAX_FILE_BYTES, Contents, Kept, Stamp

UNKNOWN = "?"  # the fingerprint of what was too large to be kept


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
        self._contents = Contents(root, cache)
        self._extra = extra
        self._by_folder: dict[str, set[str]] = {}
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
            self._contents.write_log()
            if command_of:
                self._contents.begin(command_of, stands)

    def open(self) -> None:
        """Takes up what the last session learned. Raises OSError."""
        if self._contents.open():
            for path in (*self._contents.kept, *self._contents.missing.paths):
                self._by_folder.setdefault(path[: path.rfind("/") + 1], set()).add(path)

    def ended(self) -> None:
        """The command ended, and what it did is known."""
        self._contents.ended()

    def interrupted(self) -> tuple[str, dict[str, str]]:
        """(the session whose command ran when its process was killed, "" for none, what stood there): `changes` are what was done
        since it began."""
        self.open()
        return self._contents.running()

    def is_full(self, paths: Iterable[str]) -> bool:
        """True if one of these is not kept for want of room."""
        return self._contents.is_full(paths)

    def left_out(self) -> str:
        """Says how many files cannot be brought back, and why; "" for none."""
        return self._contents.left_out()

    def changes(self) -> Iterator[CommandChange]:
        """Yields the changes since `take`, one after the other; at the end the snapshot is taken again."""
        self._tells = True
        self._told.clear()
        if self._contents.is_open:
            yield from self._update()

    def close(self) -> None:
        """Keeps for the next session what was learned; a `take` that goes on in another thread ends at its next file."""
        self._ends = True
        with self._working:
            self._watch.close()
            self._contents.close()

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
                if held := {name for name in names if name in self._contents.kept}:
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
        self._by_folder[folder.path] = here | {path for path in known - here if path in self._contents.kept}

    def _look_at_extra(self) -> Iterator[CommandChange]:
        extra = self._extra()
        for path in sorted(self._extra_known - extra.keys()):
            info = self._regular(path)
            if info is not None:
                yield from self._seen(path, info, lambda: True)
            elif path in self._contents.kept or path in self._contents.missing.paths:
                yield from self._note_removal(path)
        for path, info in extra.items():
            kept = self._contents.kept.get(path)
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
        kept, stamp = self._contents.kept.get(path), _stamp(info)
        if stamp in (kept.stamp if kept else None, self._contents.missing.paths.get(path)):
            return
        if self._is_held(path):
            yield from self._compared(path, kept, info)
            return
        known = path not in self._contents.missing.paths
        before = self._contents.content(kept) if kept is not None and self._tells else None
        is_ignored = kept.ignored if kept is not None else ignored()
        if self._ends:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        after = self._contents.keep(path, stamp, is_ignored, S_IMODE(info.st_mode))
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
        before, mode = self._contents.content(kept) if kept is not None else None, S_IMODE(info.st_mode)
        if now is None or now != before or (kept is not None and kept.mode != mode):
            name = fingerprint(now) if now is not None else UNKNOWN
            if now is not None and self.own.get(printable_name(path)) == name:
                self._contents.store(path, _stamp(info), now, True, mode)
            known = path not in self._contents.missing.paths
            mode_before, inode = (kept.mode, kept.stamp[2]) if kept is not None else (None, 0)
            yield CommandChange(printable_name(path), before, name, True, known, mode_before, inode)

    def _note_removal(self, path: str) -> Iterator[CommandChange]:
        if self._is_held(path):
            if self._tells and path not in self._told and (kept := self._contents.kept.get(path)) is not None:
                self._told.add(path)
                yield CommandChange(printable_name(path), self._contents.content(kept), None, kept.ignored, True, kept.mode)
            return
        kept, known = self._contents.forget(path)
        if self._tells:
            before, mode, was_ignored = (self._contents.content(kept), kept.mode, kept.ignored) if kept else (None, None, False)
            yield CommandChange(printable_name(path), before, None, was_ignored, known, mode)


def _stamp(info: os.stat_result) -> Stamp:
    return info.st_ctime_ns, info.st_size, info.st_ino
