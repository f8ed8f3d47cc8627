"""The entries with a protected name in a folder, at any depth: a command may neither leave them there nor change them."""

import os
import time
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG

from agentic.lib.files.walk import VERSION_CONTROL
from agentic.lib.record import record
from agentic.lib.safeguards import ENVIRONMENT, Safeguards

MAX_BELOW = 100_000  # entries below one protected folder
_MODULES, _PROGRAMS = "node_modules", ".bin"
FILE, FOLDER, PRIVATE = "file", "folder", "private"
_HEAD = "HEAD"
_REPOSITORY = {_HEAD, "objects", "refs"}  # by which git knows one
_KEPT = {"objects", "refs", "logs", "lfs"}  # of a repository: what is not obeyed
_HUGE = {_MODULES, "__pycache__"}  # nothing of what is in them is obeyed by those that obey names
_TICK_NS = 100_000_000  # a folder that changed just now may change again without another time


@record(frozen=True, slots=True)
class _Seen:
    """A folder's time of change, its entries with protected or private names, the folders in it, and its packages of node's."""

    changed: int
    named: dict[str, str]
    folders: tuple[str, ...]
    modules: str = ""


class ProtectedEntries:
    """The protected entries of one folder. Everything here blocks."""

    def __init__(self, root: Path, safeguards: Safeguards) -> None:
        self._root = root
        self._safeguards = safeguards
        self._seen: dict[str, _Seen] = {}
        self.files: dict[str, os.stat_result] = {}
        self.inodes: dict[str, int] = {}
        self.beyond: tuple[str, ...] = ()
        self._closed = set[str]()
        self._has_looked = False

    def look(self, held: Collection[str] = ()) -> dict[str, str]:
        """By path from the root: "file", "folder", or "-> TARGET" of a link; "private" for files of secrets, protected or not.

        No link is followed; what is ignored is looked at, too. Folders in which nothing was made, renamed or removed since the
        last look are not read again, environments that are `held` against every change not at all. Afterwards `files` has the
        files below protected folders, `beyond` the folders that have more than MAX_BELOW entries. A folder that was closed against
        us since the last look is opened again.
        """
        self.files, self.beyond = {}, ()
        found: dict[str, str] = {}
        seen: dict[str, _Seen] = {}
        waiting = deque([""])
        while waiting:
            path = waiting.popleft()
            with suppress(OSError):
                seen[path] = folder = self._folder(path)
                waiting.extend(folder.folders)
                found.update(folder.named)
                found.update(self._programs_of(folder.modules) if folder.modules else {})
        self._seen = seen
        self.inodes = {}
        for path in [path for path, kind in found.items() if kind == FOLDER]:
            with suppress(OSError):
                self.inodes[path] = os.lstat(self._root / path).st_ino
            if path not in held or not (self._root / path / ENVIRONMENT).exists():
                found.update(self._below(path))
        self._has_looked = True
        return found

    def without_new_environments(self, before: Mapping[str, str], now: dict[str, str]) -> dict[str, str]:
        """Returns what was found; of a folder that a command made an environment or a repository, only the file that does so."""
        made = [
            path for path, kind in now.items() if kind == FOLDER and path not in before and not self._safeguards.protected(path)
        ]
        for top in made:
            markers = (f"{top}/{ENVIRONMENT}", f"{top}/{_HEAD}")
            for path in [path for path in now if path == top or path.startswith(f"{top}/")]:
                if path not in markers and not self._safeguards.protected(path):
                    del now[path]
                    self.files.pop(path, None)
            self.inodes.pop(top, None)
        return now

    def files_of(self, entries: Mapping[str, str]) -> Mapping[str, os.stat_result]:
        """Returns the regular files that have protected or private names, and the files in protected folders."""
        found = dict(self.files)
        for path, kind in entries.items():
            if kind in (FILE, PRIVATE) and path not in found:
                with suppress(OSError):
                    info = os.lstat(self._root / path)
                    if S_ISREG(info.st_mode):
                        found[path] = info
        return found

    def _folder(self, path: str) -> _Seen:
        known, now = self._seen.get(path), time.time_ns()
        changed = os.lstat(os.path.join(self._root, path)).st_ctime_ns  # which nobody can set
        if known is not None and known.changed == changed:
            return known
        named: dict[str, str] = {}
        folders, modules = [], ""
        entries = self._inside(path)
        is_repository = _is_repository(entries)
        if path and (is_repository or any(entry.name == ENVIRONMENT for entry in entries)):
            return _Seen(changed if changed < now - _TICK_NS else 0, {path.rstrip("/"): FOLDER}, ())
        for entry in entries:
            if is_repository and (entry.name == _HEAD or self._safeguards.is_obeyed(entry.name)):
                named[path + entry.name] = _kind(entry)
                continue
            if entry.name == _MODULES:
                modules = path + _MODULES
            if self._safeguards.may_be_named(entry.name) and (kind := self._kind_of_named(entry, path + entry.name)):
                named[path + entry.name] = kind
            elif entry.is_dir(follow_symlinks=False) and entry.name not in _HUGE:
                folders.append(f"{path}{entry.name}/")
        return _Seen(changed if changed < now - _TICK_NS else 0, named, tuple(folders), modules)

    def _inside(self, folder: str) -> "list[os.DirEntry[str]]":
        """Returns a folder's entries; none where it is closed against us, and was before."""
        place = os.path.join(self._root, folder)
        for _ in range(2):
            try:
                with os.scandir(place) as entries:
                    found = list(entries)
                if os.access(place, os.X_OK):
                    self._closed.discard(folder)
                    return found
            except PermissionError:
                pass
            except OSError:
                return []
            if not self._has_looked or folder in self._closed or not _opened(place):
                break
        self._closed.add(folder)
        return []

    def _programs_of(self, modules: str) -> dict[str, str]:
        """The programs that packages bring, or the link that stands for them, looked at each time (one folder deeper)."""
        for path in (modules, f"{modules}/{_PROGRAMS}"):
            place = os.path.join(self._root, path)
            if os.path.islink(place):
                with suppress(OSError):
                    return {path: f"-> {os.readlink(place)}"}
        return {path: FOLDER} if os.path.isdir(place) else {}

    def _kind_of_named(self, entry: "os.DirEntry[str]", path: str) -> str:
        """The kind of what is protected or private, "" for the rest."""
        if entry.is_file(follow_symlinks=False) and self._safeguards.private(path):
            return PRIVATE
        return _kind(entry) if self._safeguards.protected(path) else ""

    def _below(self, top: str) -> dict[str, str]:
        """All that lies in a protected folder, up to about MAX_BELOW; of version control, what it runs or obeys."""
        found: dict[str, str] = {}
        waiting = deque([f"{top}/"])
        of_version_control = os.path.basename(top) in VERSION_CONTROL
        is_bare = not of_version_control and _is_repository(self._inside(f"{top}/"))
        if is_bare:
            of_version_control, found[f"{top}/{_HEAD}"] = True, FILE
            with suppress(OSError):
                self.files[f"{top}/{_HEAD}"] = os.lstat(self._root / top / _HEAD)
        while waiting:
            if len(found) > MAX_BELOW:
                self.beyond += (top,)
                break
            folder = waiting.popleft()
            entries = self._inside(folder)
            is_repository = of_version_control and folder != f"{top}/" and any(entry.name == "HEAD" for entry in entries)
            for entry in entries:
                path = folder + entry.name
                if is_repository and entry.name in _KEPT:
                    continue
                is_obeyed = not of_version_control or self._safeguards.is_obeyed(path.removeprefix(f"{top}/"))
                if not is_obeyed and not (is_bare and self._safeguards.protected(path)):
                    if is_bare and entry.name not in _KEPT and entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")  # it may have been made around other things
                    continue
                found[path] = kind = _kind(entry)
                if kind == FOLDER:
                    waiting.append(f"{path}/")
                elif kind == FILE:
                    with suppress(OSError):
                        self.files[path] = entry.stat(follow_symlinks=False)
        return found


def _opened(place: str) -> bool:
    """Opens a folder of ours that a command closed."""
    try:
        closed = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.chmod(f"/proc/self/fd/{closed}", S_IMODE(os.fstat(closed).st_mode) | 0o700)
        finally:
            os.close(closed)
    except OSError:
        return False
    return True


def _is_repository(entries: "Collection[os.DirEntry[str]]") -> bool:
    """True if git takes a folder with these for a repository, whatever its name is."""
    names = {entry.name for entry in entries}
    return names >= _REPOSITORY or names >= {_HEAD, "commondir"}


def _kind(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        with suppress(OSError):
            return f"-> {os.readlink(entry.path)}"
    return FOLDER if entry.is_dir(follow_symlinks=False) else FILE
