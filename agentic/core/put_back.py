"""Putting protected entries back as they were: beneath the folder and through no link, whatever a command left there.

What is older than the command is not taken away but kept aside: it may be the user's own, under another name.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISDIR

from agentic.folders import state_folder
from agentic.lib.files import make_own, put, stored

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = 0o700


class PutBack:
    """Of one folder, once. `began` is when the command did, in ns. Everything raises OSError."""

    def __init__(self, root: Path, began: int) -> None:
        self._root = root
        self._began = began
        self._aside = state_folder() / "put-back" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self.keeps = False

    @property
    def place(self) -> str:
        """Where what was found is kept, for people; "" where nothing is."""
        return f"; what was found there is in {self._aside}" if self.keeps else ""

    def write(self, path: str, data: bytes, mode: int | None) -> None:
        """The file as it was, in folders as they were."""
        with self._parent(path, make=True) as (folder, name):
            owner = _owner(folder, name)
            if _is_folder(folder, name):
                self._take_aside(folder, name, path)
            put(folder, name, data, mode=mode)
            if os.geteuid() == 0:
                os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)

    def link(self, path: str, target: str) -> None:
        """The link as it was."""
        with self._parent(path, make=True) as (folder, name):
            self._remove(folder, name, path)
            os.symlink(target, name, dir_fd=folder)

    def remove(self, path: str) -> None:
        """What the command made there. Nothing where it is not there any more, or lies behind a link by now."""
        with suppress(FileNotFoundError, NotADirectoryError), self._parent(path, make=False) as (folder, name):
            self._remove(folder, name, path)

    def move(self, path: str, to: str) -> None:
        """Back to where it was."""
        with self._parent(path, make=False) as (source, name), self._parent(to, make=True) as (target, old):
            os.rename(name, old, src_dir_fd=source, dst_dir_fd=target)

    def has(self, path: str) -> bool:
        """Whether there is anything."""
        return os.path.lexists(self._root / path)

    def keep(self, path: str) -> None:
        """A copy of what is there, where nobody knows whose it is."""
        with suppress(OSError), self._parent(path, make=False) as (folder, name):
            self._copy(folder, name, path)

    def _remove(self, folder: int, name: str, path: str) -> None:
        try:
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not S_ISDIR(info.st_mode):
            if info.st_mtime_ns < self._began and not os.path.islink(f"/proc/self/fd/{folder}/{name}"):
                self._copy(folder, name, path)
            os.unlink(name, dir_fd=folder)
        elif _is_new(folder, name, self._began):
            shutil.rmtree(name, dir_fd=folder)
        else:
            self._take_aside(folder, name, path)

    def _take_aside(self, folder: int, name: str, path: str) -> None:
        target = self._place_of(path)
        try:
            os.rename(name, target, src_dir_fd=folder)
        except OSError:  # another file system
            self._copy(folder, name, path)
            if _is_folder(folder, name):
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)

    def _copy(self, folder: int, name: str, path: str) -> None:
        source, target = f"/proc/self/fd/{folder}/{name}", self._place_of(path)
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
    """Of the file that is there, else of its folder."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        info = os.fstat(folder)
    return info.st_uid, info.st_gid


def _is_folder(folder: int, name: str) -> bool:
    try:
        return S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _is_new(folder: int, name: str, began: int) -> bool:
    """Whether all that lies in it was made or changed since."""
    for _, folders, files, inside in os.fwalk(name, dir_fd=folder):
        for each in (*folders, *files):
            info = os.stat(each, dir_fd=inside, follow_symlinks=False)
            if info.st_ctime_ns < began or (info.st_mtime_ns < began and not S_ISDIR(info.st_mode)):
                return False
    return True


def _private_copy(source: str, target: str) -> None:
    """A file's content as the user's alone, or a link as it is."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    else:
        shutil.copyfile(source, target)
        os.chmod(target, 0o600)
