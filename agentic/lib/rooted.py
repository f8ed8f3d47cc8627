"""Opening beneath a root, whatever links lie on the way."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentic.errors import ToolError
from agentic.lib.files import as_stored, open_beneath, printable_name, require_regular, stored
from agentic.lib.files.beneath import FOLDER, read_all
from agentic.lib.grants import Access, FileNotFoundToolError, Grants, NotGranted, OutsideWorkspace


class Rooted:
    """Opens files beneath `root`, and what the user granted beside it. Names are relative to the root, or absolute."""

    root: Path
    grants: Grants

    def relative(self, path: str, access: Access = "read") -> str:
        """The path as the workspace names it. Raises ToolError for what cannot be a path, NotGranted for one that needs a word."""
        name = self._located(path, access)
        for each in {name: None, self._target(name): None}:
            if (each, access) not in self.grants.given and (why := self.grants.needs_word(each, access)):
                raise NotGranted(why, each, access)
        return name

    def _target(self, name: str) -> str:
        """Returns the target of a link if that is beneath the root, else the name itself."""
        real = os.path.realpath(self._path(name))
        return printable_name(os.path.relpath(real, self.root)) if real.startswith(f"{self.root}{os.sep}") else name

    def _located(self, path: str, access: Access) -> str:
        if "\\x" in path and not os.path.lexists(os.path.join(self.root, _encodable(path))):
            try:
                path = stored(path)
            except ValueError:
                raise ToolError(f"{path[:80]!r} is not a usable path") from None
        if not path.strip() or "\0" in path or any(len(os.fsencode(part)) > 255 for part in _encodable(path).split("/")):
            raise ToolError(f"{path[:80]!r} is not a usable path")
        if path[:1] == "~" and not os.path.lexists(os.path.join(self.root, path.split("/")[0])):
            path = os.path.expanduser(path)
        absolute = os.path.normpath(os.path.join(self.root, path))
        if path.endswith("/") and access == "write":
            raise ToolError(f"{path} names a folder")
        if (absolute, access) in self.grants.given or (absolute, "write") in self.grants.given:
            return absolute
        if absolute != str(self.root) and not absolute.startswith(f"{self.root}{os.sep}"):
            if self.grants.root_of(absolute) is None:
                raise OutsideWorkspace(absolute, access)
            return absolute
        return printable_name(as_stored(str(self.root), os.path.relpath(absolute, self.root)))

    def _path(self, name: str) -> str:
        return os.path.join(self.root, name if os.path.lexists(os.path.join(self.root, name)) else stored(name))

    @contextmanager
    def _folder(self) -> Iterator[int]:
        try:
            root = os.open(self.root, FOLDER)
        except OSError as error:
            raise ToolError(f"the folder {self.root} is gone: {error.strerror}") from error
        try:
            yield root
        finally:
            os.close(root)

    @contextmanager
    def _make_folders(self, root: int, folder: str) -> Iterator[int]:
        """The folder, opened; missing ones are made."""
        if os.path.isabs(folder):
            current = _open_real(folder, FOLDER)
        else:
            _make_path(root, folder)
            current = open_beneath(root, folder or ".", FOLDER)
        try:
            yield current
        finally:
            os.close(current)

    def _open(self, root: int, name: str, flags: int, access: Access) -> tuple[int, str]:
        """(descriptor, the file's own name: where a link leads)"""
        try:
            if os.path.isabs(name):
                return _open_real(name, flags), name
            path = self._path(name)
            inside = os.path.relpath(path, self.root)
            try:
                descriptor = open_beneath(root, inside, flags)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.ELOOP):
                    raise
                return self._open_target(root, os.path.realpath(path), flags, access)
            return descriptor, self._real(path, name, descriptor)
        except FileNotFoundError as error:
            raise FileNotFoundToolError(f"{name} does not exist") from error
        except OSError as error:
            raise ToolError(f"{name}: {error.strerror}") from error

    def _open_target(self, root: int, target: str, flags: int, access: Access) -> tuple[int, str]:
        """Opens the target of an absolute link: beneath the root after all, or where the user's word is needed."""
        name = self.relative(target, access)
        if os.path.isabs(name):
            return _open_real(name, flags), name
        return open_beneath(root, os.path.relpath(target, self.root), flags), name

    def _real(self, path: str, name: str, descriptor: int) -> str:
        target = os.path.realpath(path)
        if target == path:
            return name
        there, opened = os.lstat(target), os.fstat(descriptor)
        if (there.st_dev, there.st_ino) != (opened.st_dev, opened.st_ino):
            raise ToolError(f"{name}: a link on the way to it changed just now")
        return self.relative(target)


def _open_real(path: str, flags: int) -> int:
    """An absolute path that the user granted: none of its parts may be a link by now."""
    top = os.open("/", FOLDER)
    try:
        if os.path.realpath(os.path.dirname(path)) != os.path.dirname(path):
            raise OSError(errno.ELOOP, "a link leads there", path)
        return open_beneath(top, path.lstrip("/") or ".", flags | os.O_NOFOLLOW)
    finally:
        os.close(top)


def _make_path(root: int, name: str) -> None:
    parts = [part for part in Path(name).parts if part != "."]
    for depth in range(len(parts)):
        parent = open_beneath(root, os.path.join(".", *parts[:depth]), FOLDER)
        try:
            os.mkdir(parts[depth], dir_fd=parent)
        except FileExistsError:
            pass
        finally:
            os.close(parent)


def current(name: str, folder: int) -> bytes | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    try:
        return read_all(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def regular(name: str, descriptor: int, most: int) -> tuple[os.stat_result, bytes]:
    try:
        info = os.fstat(descriptor)
        require_regular(info, most)
        return info, read_all(descriptor, info.st_size)
    except OSError as error:
        raise ToolError(f"{name} {error.strerror}") from error


def _encodable(path: str) -> str:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ToolError(f"{path[:80]!r} is not a usable path") from None
    return path


def require_replaceable(name: str, info: os.stat_result) -> None:
    """Raises ToolError for a file that cannot be replaced as a whole."""
    if stat.S_ISDIR(info.st_mode):
        raise ToolError(f"{name} is a folder")
    if not info.st_mode & 0o222:
        raise ToolError(f"{name} is read-only")
    if info.st_nlink > 1:  # replacing it would part the names, writing into it can leave half of both after a kill
        raise ToolError(f"{name} has other names (hard links), which would be parted from it: replace it by a copy of it first")
