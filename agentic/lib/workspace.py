"""The root that a run may touch: race-free opening beneath it, byte-exact replacement of files, changes that wait for a yes."""

import copy
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Literal, Self

from agentic.errors import AgenticError, ToolError
from agentic.lib.calls import CallContext
from agentic.lib.files import as_stored, open_beneath, printable_name, put, require_regular, stored
from agentic.lib.files.beneath import FOLDER, read_all
from agentic.lib.files.walk import files_below
from agentic.lib.record import record

MAX_FILE_BYTES = 50 * 1024 * 1024
Access = Literal["read", "write"]


class NotGranted(AgenticError):
    """A path may not be touched without the user's word; `path` as the user reads it, `access` what is wanted."""

    def __init__(self, message: str, path: str, access: Access = "read") -> None:
        super().__init__(message)
        self.path = path
        self.access: Access = access


class OutsideWorkspace(NotGranted):
    """A path leads out of the root."""

    def __init__(self, path: str, access: Access = "read") -> None:
        super().__init__(f"{printable_name(path)} is outside the folder that this run may touch", path, access)


class FileNotFoundToolError(ToolError):
    """There is no such file."""


@record(frozen=True, slots=True)
class FileContent:
    """A file's bytes and the fingerprint that a later write holds it to; a missing file has no fingerprint."""

    data: bytes
    fingerprint: str


@record(frozen=True, slots=True)
class Edit:
    """The content of a file before and after an edit; None is no file. `mode` is that of a new one, None for the usual."""

    before: bytes | None
    after: bytes | None
    mode: int | None = None


@record(slots=True)
class Grants:
    """The user's grants beside the root: (path, access), and further `roots`: folders to work in as in the first one.

    `needs_word` says why a path needs the user's word although it is beneath the root, "" where it needs none.
    """

    given: set[tuple[str, Access]] = field(default_factory=set)
    needs_word: Callable[[str, Access], str] = lambda path, access: ""
    roots: list[Path] = field(default_factory=list)

    def root_of(self, path: str) -> Path | None:
        """Returns the further root that an absolute path lies in, None for none."""
        return next((root for root in self.roots if path == str(root) or path.startswith(f"{root}{os.sep}")), None)


Journal = Callable[[str, bytes | None, bytes | None, int | None], None]


def _temporary() -> Path:
    import tempfile  # which is half of what importing this module takes

    return Path(tempfile.gettempdir())


class Workspace:
    """Files beneath `root`. Paths are as the model gives them: relative to the root, or absolute; names that are no text, spelled.

    `claim(path)` is asked before a file is changed and may raise ToolError; `journal(path, before, after, mode)` is told of every
    change before it happens, None being no file, `mode` that of the one before. `written` are the files that were written,
    `originals` what those that changed held before. `temporary` is a folder that commands may write to, too. `call` is the
    context of the call that it is given to a tool for.
    """

    def __init__(
        self, root: Path, journal: Journal | None = None, grants: Grants | None = None, temporary: Path | None = None
    ) -> None:
        self.root = root.resolve()
        self.written: dict[str, None] = {}
        self.originals: dict[str, bytes | None] = {}
        self.call = CallContext()
        self.claim: Callable[[str], None] = lambda path: None
        self.journal: Journal = journal or (lambda path, before, after, mode: None)
        self.grants = grants or Grants()
        self.temporary = temporary or _temporary()
        self._seen: dict[str, str] = {}
        self._changed: list[str] = []

    @property
    def changes(self) -> int:
        """The number of changes so far."""
        return len(self._changed)

    def during(self, call: CallContext) -> Self:
        """Returns the same workspace, with all that it knows, as the tool of one call gets it."""
        space = copy.copy(self)
        space.call = call
        return space

    def view(self, root: Path | None = None) -> "Workspace":
        """The same folder, or a copy of it, as another agent sees it: what it read and wrote is its own. No claim, no journal."""
        return Workspace(root or self.root, None, self.grants, self.temporary)

    def stage(self) -> "Stage":
        """The same files; what is changed there is kept back until `commit`."""
        return Stage(self)

    def grant(self, path: str, access: Access = "read") -> None:
        """The user allowed this one path."""
        self.grants.given.add((path, access))

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

    def files(self, folder: str = ".") -> Iterator[str]:
        """The files below a folder, as `files_below` has them. Raises ToolError for what is no folder, OutsideWorkspace."""
        name = self.relative(folder)
        if os.path.isabs(name):
            yield from (os.path.join(name, path) for path in files_below(Path(name)))
            return
        with self._folder() as root:
            descriptor, _ = self._open(root, name, os.O_RDONLY, "read")
            is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            os.close(descriptor)
        if not is_folder:
            raise ToolError(f"{name} is not a folder")
        yield from files_below(self.root, name)

    def read(self, path: str) -> FileContent:
        """A regular file's content, remembered as seen. Raises ToolError, NotGranted."""
        content = self.current(path)
        self._seen[self.relative(path)] = content.fingerprint
        return content

    def current(self, path: str, most: int = MAX_FILE_BYTES) -> FileContent:
        """Reads a file like `read`, without marking it as seen: the stale-write check still uses the last `read`."""
        data = self._data(self.relative(path), most)
        return FileContent(data, fingerprint(data))

    def text(self, path: str, most: int = MAX_FILE_BYTES) -> str:
        """For looking at many: "" for what is no file, is too large, or needs a word."""
        try:
            return self.current(path, most).data.decode("utf-8", "replace")
        except AgenticError:
            return ""

    def stamp(self, path: str) -> tuple[int, int, int] | None:
        """(time of the last change in ns, size, inode) of a regular file; None for what is none."""
        try:
            name = self.relative(path)
            with self._folder() as root:
                descriptor, _ = self._open(root, name, os.O_RDONLY, "read")
        except AgenticError:
            return None
        try:
            info = os.fstat(descriptor)
            return (info.st_mtime_ns, info.st_size, info.st_ino) if stat.S_ISREG(info.st_mode) else None
        finally:
            os.close(descriptor)

    def has_literal(self, path: str) -> bool:
        """True if the file system knows it by this very name, and not one that is only spelled so."""
        return os.path.lexists(self.root / path)

    def has_read(self, path: str) -> bool:
        """True if this run has seen what is, or was, in the file."""
        return self.relative(path) in self._seen

    def exists(self, path: str) -> bool:
        """True if there is anything at `path`. Raises OutsideWorkspace."""
        name = self._located(path, "read")
        with self._folder() as root:
            try:
                descriptor, _ = self._open(root, name, os.O_RDONLY, "read")
                os.close(descriptor)
            except FileNotFoundToolError:
                return False
            except ToolError:  # there, and not to be opened
                return os.path.lexists(self._path(name))
        return True

    def mode(self, path: str) -> int | None:
        """A regular file's permission bits; None for what is none. Raises NotGranted."""
        name = self.relative(path)
        with self._folder() as root:
            try:
                descriptor, _ = self._open(root, name, os.O_RDONLY, "read")
            except ToolError:
                return None
        info = os.fstat(descriptor)
        os.close(descriptor)
        return stat.S_IMODE(info.st_mode) if stat.S_ISREG(info.st_mode) else None

    def write(self, path: str, data: bytes, mode: int | None = None) -> bool:
        """Replaces or creates a file, a new one with `mode`; False where it held these bytes already.

        Mode, owner, attributes and links stay. Raises ToolError when the file changed since this run read it (nothing is written),
        NotGranted.
        """
        name = self.relative(path, "write")
        self.claim(name)
        before = self._before(name)
        if before is not None:
            self._require_seen(name, before)
            if before == data:
                return False
        self._change(name, before, data, mode)
        self._wrote(name, data)
        return True

    def remove(self, path: str) -> None:
        """Takes a file away. Raises ToolError, NotGranted."""
        name = self.relative(path, "write")
        self.claim(name)
        before = self._data(name)
        self._require_seen(name, before)
        self._change(name, before, None)
        self._seen.pop(name, None)

    def commit(self, edits: Mapping[str, Edit]) -> None:
        """All of a stage's edits, or none. Raises ToolError for a file that is not as it was when the edit was made."""
        done: list[tuple[str, Edit]] = []
        try:
            for name, edit in edits.items():
                if self._before(name) != edit.before:
                    raise ToolError(f"{name} changed in the meantime; nothing was changed")
                if edit.before != edit.after:
                    self._change(name, edit.before, edit.after, edit.mode)
                    done.append((name, edit))
                if edit.after is not None:
                    self._wrote(name, edit.after)
        except AgenticError:
            for name, edit in reversed(done):
                self._change(name, edit.after, edit.before)
            raise

    def _require_seen(self, name: str, now: bytes) -> None:
        if name in self._seen and self._seen[name] != fingerprint(now):
            raise ToolError(f"{name} changed since it was read; read it again before changing it")

    def _wrote(self, name: str, data: bytes) -> None:
        self._seen[name] = fingerprint(data)
        self.written[name] = None

    def _before(self, name: str) -> bytes | None:
        """Returns the content of a file that can be replaced, None where there is none. Raises ToolError."""
        with self._folder() as root:
            try:
                descriptor, _ = self._open(root, name, os.O_RDONLY, "write")
            except FileNotFoundToolError:
                return None
        try:
            _replaceable(name, os.fstat(descriptor))
            return _regular(name, descriptor, MAX_FILE_BYTES)[1]
        finally:
            os.close(descriptor)

    def _data(self, name: str, most: int = MAX_FILE_BYTES) -> bytes:
        with self._folder() as root:
            descriptor, _ = self._open(root, name, os.O_RDONLY, "read")
        try:
            return _regular(name, descriptor, most)[1]
        finally:
            os.close(descriptor)

    def _change(self, name: str, before: bytes | None, after: bytes | None, mode: int | None = None) -> None:
        """Makes a change that was checked; what stands there must still be `before`."""
        with self._folder() as root:
            try:
                self._put(root, name, before, after, mode)
            except OSError as error:
                raise ToolError(f"{name}: {error.strerror}") from error
        self._changed.append(name)

    def _put(self, root: int, name: str, before: bytes | None, after: bytes | None, mode: int | None) -> None:
        descriptor, real = (-1, name) if before is None else self._open(root, name, os.O_RDONLY, "write")
        try:
            path = self._path(name if after is None else real)  # a link is written through, and taken away itself
            folder, leaf = os.path.split(path if os.path.isabs(real) else os.path.relpath(path, self.root))
            with self._make_folders(root, folder) as parent:
                info = os.fstat(descriptor) if before is not None else None
                self.journal(name, before, after, stat.S_IMODE(info.st_mode) if info else None)
                self.originals.setdefault(name, before)

                def still() -> bool:
                    return before is None or _current(leaf, parent) == before

                if after is None and not still():
                    raise OSError(errno.ESTALE, "changed in the meantime; nothing was changed")
                if after is None:
                    os.unlink(leaf, dir_fd=parent)
                else:
                    put(parent, leaf, after, info, before is None, descriptor, still, mode)
        except FileExistsError as error:
            raise ToolError(f"{name} is there by now; read it before changing it") from error
        finally:
            if descriptor >= 0:
                os.close(descriptor)

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


class Stage(Workspace):
    """A workspace whose changes wait: `edits` by path. Reading sees them."""

    def __init__(self, space: Workspace) -> None:
        super().__init__(space.root, None, space.grants, space.temporary)
        self.claim = space.claim
        self._seen = dict(space._seen)
        self._space = space
        self.edits: dict[str, Edit] = {}

    def relative(self, path: str, access: Access = "read") -> str:
        """Returns a path's name. The user is asked about a change with the change itself; a link then stands for its target."""
        return super().relative(path, access) if access == "read" else self._target(self._located(path, access))

    def exists(self, path: str) -> bool:
        edit = self.edits.get(self._located(path, "read"))
        return edit.after is not None if edit else self._space.exists(path)

    def _before(self, name: str) -> bytes | None:
        return self.edits[name].after if name in self.edits else self._space._before(name)

    def _data(self, name: str, most: int = MAX_FILE_BYTES) -> bytes:
        edit = self.edits.get(name)
        if edit is None:
            return self._space._data(name, most)
        if edit.after is None:
            raise FileNotFoundToolError(f"{name} does not exist")
        return edit.after

    def _change(self, name: str, before: bytes | None, after: bytes | None, mode: int | None = None) -> None:
        first = self.edits.pop(name, None)
        self.edits[name] = Edit(first.before if first else before, after, mode)
        self._changed.append(name)


def fingerprint(data: bytes) -> str:
    """By which a file's content is compared and kept."""
    return hashlib.sha256(data).hexdigest()


def _encodable(path: str) -> str:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ToolError(f"{path[:80]!r} is not a usable path") from None
    return path


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


def _current(name: str, folder: int) -> bytes | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    try:
        return read_all(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _regular(name: str, descriptor: int, most: int) -> tuple[os.stat_result, bytes]:
    try:
        info = os.fstat(descriptor)
        require_regular(info, most)
        return info, read_all(descriptor, info.st_size)
    except OSError as error:
        raise ToolError(f"{name} {error.strerror}") from error


def _replaceable(name: str, info: os.stat_result) -> None:
    if not info.st_mode & 0o222:
        raise ToolError(f"{name} is read-only")
    if info.st_nlink > 1:  # replacing it would part the names, writing into it can leave half of both after a kill
        raise ToolError(f"{name} has other names (hard links), which would be parted from it: replace it by a copy of it first")
