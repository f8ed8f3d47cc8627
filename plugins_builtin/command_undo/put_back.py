"""Putting protected entries back as they were: beneath the folder and through no link, whatever a command left there.

Nothing is deleted: what was found there is kept aside, as it may be the user's own work, made there meanwhile or moved there.
"""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from agentic.folders import state_folder
from agentic.lib.files import make_own, put, stored
from agentic.lib.files.beneath import Beneath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = 0o700
CLOCK_NS = 20_000_000  # by which the time that files get may be behind
MAX_ENTRIES, MAX_BYTES, MAX_DEPTH = 5_000, 64 << 20, 100  # of what is copied to another file system


class PutBack:
    """Puts the entries of one folder back, once. Every method raises OSError."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._aside = state_folder() / "put-back" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._kept_here = ""
        self.keeps = False

    @property
    def place(self) -> str:
        """The places where what was found is kept, in words for people; "" where nothing is kept."""
        here = f" and {self._root / self._kept_here}" if self._kept_here else ""
        return f"; what was found there is in {self._aside}{here}" if self.keeps else ""

    def write(self, path: str, data: bytes, mode: int | None, inode: int = 0) -> None:
        """Writes the file as it was, in folders as they were; into the one of that `inode` where it has another name elsewhere."""
        with self._parent(path, make=True) as (folder, name):
            owner = _owner(folder, name)
            if _has_other_names(folder, name, inode):
                self._copy(folder, name, path, self._place_of(path))
                _overwrite(folder, name, data)
                return

            def out_of_the_way() -> bool:
                """When the new content is on the disk: a full one leaves all as it is."""
                self._remove(folder, name, path)
                return True

            put(folder, name, data, mode=mode, still=out_of_the_way)
            if os.geteuid() == 0:
                os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)

    def link(self, path: str, target: str) -> None:
        """The link as it was."""
        with self._parent(path, make=True) as (folder, name):
            self._remove(folder, name, path)
            os.symlink(target, name, dir_fd=folder)

    def remove(self, path: str) -> None:
        """Removes what the command made there. Does nothing where it is gone, or lies behind a link by now."""
        with suppress(FileNotFoundError, NotADirectoryError), self._parent(path, make=False) as (folder, name):
            self._remove(folder, name, path)

    def move(self, path: str, to: str) -> None:
        """Back to where it was."""
        with self._parent(path, make=False) as (source, name), self._parent(to, make=True) as (target, old):
            os.rename(name, old, src_dir_fd=source, dst_dir_fd=target)

    def has(self, path: str) -> bool:
        """True if there is anything."""
        return os.path.lexists(self._root / path)

    def _remove(self, folder: int, name: str, path: str) -> None:
        """Out of the way. Links and empty folders hold nothing that could be lost."""
        try:
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        if S_ISLNK(info.st_mode):
            os.unlink(name, dir_fd=folder)
            return
        if S_ISDIR(info.st_mode):
            with suppress(OSError):
                os.rmdir(name, dir_fd=folder)
                return
        self._take_aside(folder, name, path)

    def _take_aside(self, folder: int, name: str, path: str) -> None:
        target = self._place_of(path)
        try:
            os.rename(name, target, src_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._carry(folder, name, path, target)
        else:
            _make_private(target)

    def _carry(self, folder: int, name: str, path: str, target: Path) -> None:
        """To another file system: out of the way first, under a name that nothing obeys, where what is too large to copy stays."""
        self._kept_here = self._kept_here or f".put-back-{self._aside.name}"
        place = os.path.join(self._root, self._kept_here)
        make_own(Path(place))
        inside = f"{len(os.listdir(place))}-{os.path.basename(path)}"
        os.rename(name, os.path.join(place, inside), src_dir_fd=folder)
        began = time.time_ns() - CLOCK_NS
        with suppress(OSError, RecursionError), Beneath(place) as moved:
            if not _is_small(moved, inside):
                return
            self._copy(moved, inside, path, target)
            if not _is_small(moved, inside, began):  # somebody goes on writing there
                return
            if _is_folder(moved, inside):
                shutil.rmtree(inside, dir_fd=moved)
            else:
                os.unlink(inside, dir_fd=moved)
            os.rmdir(place)  # where it is empty
            self._kept_here = ""

    def _copy(self, folder: int, name: str, path: str, target: Path) -> None:
        source = f"/proc/self/fd/{folder}/{name}"
        if _is_folder(folder, name):
            inside = os.open(name, _FOLDER, dir_fd=folder)
            try:
                shutil.copytree(f"/proc/self/fd/{inside}", target, symlinks=True, copy_function=_private_copy)
            finally:
                os.close(inside)
        else:
            _private_copy(source, str(target))
        for each, _, _ in os.walk(target):
            os.chmod(each, _OPEN)

    def _place_of(self, path: str) -> Path:
        self.keeps = True
        target = self._aside / path
        while os.path.lexists(target):
            target = target.with_name(f"{target.name}~")
        make_own(target.parent)
        return target

    @contextmanager
    def _parent(self, path: str, make: bool) -> Iterator[tuple[int, str]]:
        """(the open folder that the entry is in, its name there); with `make`, links and files that are in the way go aside."""
        if not os.path.lexists(self._root / path):
            path = stored(path)
        *folders, name = path.split("/")
        current = os.open(self._root, _FOLDER)
        try:
            for number, part in enumerate(folders):
                opened = self._folder(current, part, "/".join(folders[: number + 1]), make)
                os.close(current)
                current = opened
            yield current, name
        finally:
            os.close(current)

    def _folder(self, current: int, part: str, path: str, make: bool) -> int:
        try:
            opened = _opened(current, part)
        except (FileNotFoundError, NotADirectoryError):
            if not make:
                raise
            with suppress(FileNotFoundError):
                os.stat(part, dir_fd=current, follow_symlinks=False)
                self._take_aside(current, part, path)
            os.mkdir(part, dir_fd=current)
            opened = _opened(current, part)
        return opened


def _opened(current: int, part: str) -> int:
    """A folder that may have been closed against us."""
    try:
        opened = os.open(part, _FOLDER, dir_fd=current)
    except PermissionError:
        closed = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
        try:
            os.chmod(f"/proc/self/fd/{closed}", _OPEN)
        finally:
            os.close(closed)
        opened = os.open(part, _FOLDER, dir_fd=current)
    mode = S_IMODE(os.fstat(opened).st_mode)
    if mode & 0o300 != 0o300:
        os.fchmod(opened, mode | _OPEN)
    return opened


def _owner(folder: int, name: str) -> tuple[int, int]:
    """Returns the user and group ids of the file that is there, else of its folder."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        info = os.fstat(folder)
    return info.st_uid, info.st_gid


def _has_other_names(folder: int, name: str, inode: int) -> bool:
    """True where the file is still the one of that inode, and may lie outside under another name as well."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return S_ISREG(info.st_mode) and info.st_nlink > 1 and info.st_ino == inode


def _overwrite(folder: int, name: str, data: bytes) -> None:
    with open(os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "wb") as file:
        file.write(data)
        file.flush()
        file.truncate()
        os.fsync(file.fileno())


def _is_folder(folder: int, name: str) -> bool:
    try:
        return S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _is_small(folder: int, name: str, before: int = 0) -> bool:
    """True if it is quickly copied, and nothing in it was changed since `before`, in ns."""
    entries = size = 0
    waiting = [os.path.join(f"/proc/self/fd/{folder}", name)]
    while waiting:
        path = waiting.pop()
        info = os.lstat(path)
        entries, size = entries + 1, size + info.st_size
        if before and entries > 1 and info.st_ctime_ns > before:
            return False
        if entries > MAX_ENTRIES or size > MAX_BYTES or path.count("/") > MAX_DEPTH:
            return False
        if S_ISDIR(info.st_mode):
            waiting += [os.path.join(path, each) for each in os.listdir(path)]
    return True


def _make_private(top: Path) -> None:
    """Makes what is kept the user's alone. A file that has another name elsewhere stays as it is, and so does its mode there."""
    waiting, left = [str(top)], MAX_ENTRIES
    while waiting and left:
        path, left = waiting.pop(), left - 1
        with suppress(OSError):
            info = os.lstat(path)
            if S_ISDIR(info.st_mode):
                os.chmod(path, _OPEN)
                waiting += [os.path.join(path, each) for each in os.listdir(path)]
            elif S_ISREG(info.st_mode) and info.st_nlink == 1:
                os.chmod(path, 0o600)


def _private_copy(source: str, target: str) -> None:
    """A file's content as the user's alone, or a link as it is."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    else:
        shutil.copyfile(source, target)
        os.chmod(target, 0o600)
