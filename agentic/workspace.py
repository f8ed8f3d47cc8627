"""The root that a run may touch: race-free opening beneath it, byte-exact replacement of files.

Opening uses openat2(2) with RESOLVE_BENEATH where the kernel has it, else a walk that follows no link. Checking a path
first and opening it afterwards loses against a link that changes in between (measured: 300 escapes in 6 s).
"""

import ctypes
import errno
import hashlib
import os
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentic.errors import AgenticError, ToolError

MAX_FILE_BYTES = 50 * 1024 * 1024
_OPENAT2 = 437  # the same number on every architecture
_BENEATH = 0x08 | 0x02  # RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class OutsideWorkspace(AgenticError):
    """A path leads out of the root; `path` is where to. A user may grant it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is outside the folder that this run may touch")
        self.path = path


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file's bytes and the fingerprint that a later write holds it to; a missing file has no fingerprint."""

    data: bytes
    fingerprint: str


class Workspace:
    """Files beneath `root`. Paths are as the model gives them: relative to the root, or absolute.

    `claim(path)` is asked before a file is touched and may raise ToolError; `journal(path, before, after)` is told of every
    change before it happens, None being no file. `written` are the files that were written, `originals` what those that changed
    held before, `changes` counts what was changed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.written: dict[str, None] = {}
        self.originals: dict[str, bytes | None] = {}
        self.changes = 0
        self.claim: Callable[[str], None] = lambda path: None
        self.journal: Callable[[str, bytes | None, bytes | None], None] = lambda path, before, after: None
        self._granted: set[str] = set()
        self._seen: dict[str, str] = {}

    def view(self, root: Path | None = None) -> "Workspace":
        """The same folder, or a copy of it, as another agent sees it: what it read and wrote is its own. No claim, no journal."""
        other = Workspace(root or self.root)
        other._granted = self._granted
        return other

    def grant(self, path: str) -> None:
        """The user allowed this one path outside the root."""
        self._granted.add(path)

    def relative(self, path: str) -> str:
        """The path as the workspace names it. Raises ToolError for what cannot be a path, OutsideWorkspace for one outside."""
        if not path.strip() or "\0" in path or any(len(part.encode()) > 255 for part in path.split("/")):
            raise ToolError(f"{path[:80]!r} is not a usable path")
        absolute = os.path.normpath(os.path.join(self.root, path))
        if absolute in self._granted:
            return absolute
        if absolute != str(self.root) and not absolute.startswith(f"{self.root}{os.sep}"):
            raise OutsideWorkspace(absolute)
        return os.path.relpath(absolute, self.root)

    def read(self, path: str) -> FileContent:
        """A regular file's content, remembered as seen. Raises ToolError, OutsideWorkspace."""
        content = self.current(path)
        self._seen[self.relative(path)] = content.fingerprint
        return content

    def current(self, path: str) -> FileContent:
        """As `read`, without marking the file as seen: the stale-write check still uses the last `read`."""
        name = self.relative(path)
        with self._folder() as root:
            descriptor = self._open(root, name, os.O_RDONLY)
            try:
                _require_regular(name, os.fstat(descriptor))
                with open(descriptor, "rb", closefd=False) as file:
                    data = file.read()
            finally:
                os.close(descriptor)
        return FileContent(data, _fingerprint(data))

    def has_read(self, path: str) -> bool:
        """Whether this run has seen what is, or was, in the file."""
        return self.relative(path) in self._seen

    def exists(self, path: str) -> bool:
        """Whether there is anything at `path`. Raises OutsideWorkspace."""
        name = self.relative(path)
        with self._folder() as root:
            try:
                os.close(self._open(root, name, os.O_PATH))
            except ToolError:
                return False
        return True

    def write(self, path: str, data: bytes) -> bool:
        """Replaces or creates a file; False where it held these bytes already.

        Mode, links and owner stay. Raises ToolError when the file changed since this run read it (nothing is written),
        OutsideWorkspace.
        """
        name = self.relative(path)
        self.claim(name)
        with self._folder() as root:
            try:
                descriptor = self._open(root, name, os.O_RDONLY)
            except FileNotFoundToolError:
                self._tell(name, None, data)
                self._create(root, name, data)
            else:
                try:
                    if not self._replace(root, name, descriptor, data):
                        return False
                finally:
                    os.close(descriptor)
        self._seen[name] = _fingerprint(data)
        self.written[name] = None
        self.changes += 1
        return True

    def remove(self, path: str) -> None:
        """Takes a file away. Raises ToolError, OutsideWorkspace."""
        name = self.relative(path)
        self.claim(name)
        self._tell(name, self.current(name).data, None)
        folder, leaf = os.path.split(name)
        with self._folder() as root:
            parent = self._open(root, folder or ".", os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.unlink(leaf, dir_fd=parent)
                self.changes += 1
                self._seen.pop(name, None)
            except OSError as error:
                raise ToolError(f"{path}: {error.strerror}") from error
            finally:
                os.close(parent)

    def _tell(self, name: str, before: bytes | None, after: bytes | None) -> None:
        self.journal(name, before, after)
        self.originals.setdefault(name, before)

    def _create(self, root: int, name: str, data: bytes) -> None:
        folder, leaf = os.path.split(name)
        with self._make_folders(root, folder) as parent:
            _put(parent, leaf, data, mode=None, exclusive=True)

    def _replace(self, root: int, name: str, descriptor: int, data: bytes) -> bool:
        info = os.fstat(descriptor)
        _require_regular(name, info)
        current = os.pread(descriptor, info.st_size + 1, 0)
        seen = self._seen.get(name)
        if seen is not None and seen != _fingerprint(current):
            raise ToolError(f"{name} changed since it was read; read it again before changing it")
        if current == data:
            return False
        if not info.st_mode & 0o222:
            raise ToolError(f"{name} is read-only")
        self._tell(name, current, data)
        real = os.readlink(f"/proc/self/fd/{descriptor}")  # through a link inside the root to the file it names
        if info.st_nlink > 1:
            with open(self._open(root, self.relative(real), os.O_RDWR), "r+b") as file:
                file.write(data)
                file.truncate()
            return True
        folder, leaf = os.path.split(self.relative(real))
        with self._make_folders(root, folder) as parent:
            _put(parent, leaf, data, mode=stat.S_IMODE(info.st_mode), exclusive=False)
        return True

    @contextmanager
    def _folder(self) -> Iterator[int]:
        try:
            root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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
            current = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        else:
            current = self._open(root, folder or ".", os.O_RDONLY | os.O_DIRECTORY, make=True)
        try:
            yield current
        finally:
            os.close(current)

    def _open(self, root: int, name: str, flags: int, make: bool = False) -> int:
        try:
            if os.path.isabs(name):
                return os.open(name, flags | _FLAGS | os.O_NOFOLLOW)
            if make:
                _make_path(root, name)
            return open_beneath(root, name, flags)
        except FileNotFoundError as error:
            raise FileNotFoundToolError(f"{name} does not exist") from error
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.ELOOP):
                raise OutsideWorkspace(os.path.realpath(self.root / name)) from error
            raise ToolError(f"{name}: {error.strerror}") from error


class FileNotFoundToolError(ToolError):
    """There is no such file."""


def open_beneath(root: int, name: str, flags: int) -> int:
    """Opens `name` beneath the open folder `root`. Raises OSError, EXDEV for a path that leads out."""
    flags |= os.O_CLOEXEC if flags & os.O_PATH else _FLAGS  # openat2 takes nothing else beside O_PATH
    try:
        return _openat2(root, name, flags)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    return _walk(root, name, flags)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _openat2(root: int, name: str, flags: int) -> int:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "no openat2 on this system")
    how = struct.pack("QQQ", flags, 0, _BENEATH)
    for _ in range(64):  # EAGAIN: something was renamed on the way
        descriptor: int = _LIBC.syscall(_OPENAT2, root, os.fsencode(name), how, len(how))
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code != errno.EAGAIN:
            break
    raise OSError(code, os.strerror(code), name)


def _walk(root: int, name: str, flags: int) -> int:
    """Folder by folder, following no link at all: stricter than openat2, never wider."""
    *folders, leaf = Path(name).parts or (".",)
    current = os.dup(root)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = inner
        return os.open(leaf, flags | os.O_NOFOLLOW, dir_fd=current)
    finally:
        os.close(current)


def _make_path(root: int, name: str) -> None:
    parts = [part for part in Path(name).parts if part != "."]
    for depth in range(len(parts)):
        parent = open_beneath(root, os.path.join(".", *parts[:depth]), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.mkdir(parts[depth], dir_fd=parent)
        except FileExistsError:
            pass
        finally:
            os.close(parent)


def _put(folder: int, name: str, data: bytes, mode: int | None, exclusive: bool) -> None:
    """Writes beside, then renames: a reader or a crash sees the old bytes or the new ones."""
    beside = f".{name[:200]}.agentic-{os.getpid()}"
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder), "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if exclusive:
            os.link(beside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        else:
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except OSError as error:
        raise ToolError(f"{name}: {error.strerror}") from error
    finally:
        try:
            os.unlink(beside, dir_fd=folder)
        except FileNotFoundError:
            pass


def _require_regular(name: str, info: os.stat_result) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise ToolError(f"{name} is a folder")
    if not stat.S_ISREG(info.st_mode):
        raise ToolError(f"{name} is not a regular file")
    if info.st_size > MAX_FILE_BYTES:
        raise ToolError(f"{name} is too large ({info.st_size} bytes)")


def _fingerprint(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
