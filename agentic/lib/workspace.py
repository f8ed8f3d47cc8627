"""The root that a run may touch: race-free opening beneath it, byte-exact replacement of files, changes that wait for a yes."""

import copy
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from agentic.errors import AgenticError, ToolError
from agentic.lib.calls import CallContext
from agentic.lib.files import put
from agentic.lib.files.walk import files_below
from agentic.lib.grants import (
    Access as Access,
    FileNotFoundToolError as FileNotFoundToolError,
    Grants as Grants,
    NotGranted as NotGranted,
    OutsideWorkspace as OutsideWorkspace,
)
from agentic.lib.record import record
from agentic.lib.rooted import Rooted, current, regular, require_replaceable

if TYPE_CHECKING:
    from agentic.lib.stage import Stage

MAX_FILE_BYTES = 50 * 1024 * 1024


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


Journal = Callable[[str, bytes | None, bytes | None, int | None], None]


def _temporary() -> Path:
    import tempfile  # which is half of what importing this module takes

    return Path(tempfile.gettempdir())


class Workspace(Rooted):
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
        from agentic.lib.stage import Stage

        return Stage(self)

    def grant(self, path: str, access: Access = "read") -> None:
        """The user allowed this one path."""
        self.grants.given.add((path, access))

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
            require_replaceable(name, os.fstat(descriptor))
            return regular(name, descriptor, MAX_FILE_BYTES)[1]
        finally:
            os.close(descriptor)

    def _data(self, name: str, most: int = MAX_FILE_BYTES) -> bytes:
        with self._folder() as root:
            descriptor, _ = self._open(root, name, os.O_RDONLY, "read")
        try:
            return regular(name, descriptor, most)[1]
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
                    return before is None or current(leaf, parent) == before

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


def fingerprint(data: bytes) -> str:
    """By which a file's content is compared and kept."""
    return hashlib.sha256(data).hexdigest()
