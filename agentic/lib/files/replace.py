"""Replacing a file: a reader, or a kill, sees the old bytes or the new ones, and nothing is left beside it."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agentic.folders import own_folders
from agentic.lib.files.beneath import Beneath

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # FAT, sshfs, some mounts
_NAMELESS = getattr(os, "O_TMPFILE", 0)


def put(
    folder: int,
    name: str,
    data: bytes,
    like: os.stat_result | None = None,
    exclusive: bool = False,
    source: int = -1,
    still: Callable[[], bool] = lambda: True,
    mode: int | None = None,
) -> None:
    """Writes `name` in the open `folder`. An `exclusive` one must not be there yet; `still` is asked at the last moment.

    Mode, owner and extended attributes are those of the file that `like` and the descriptor `source` are of; where the owner
    cannot be kept, nothing is written. A file like no other gets `mode`. Raises OSError, ESTALE where `still` says no.
    """
    beside = f".{name[:200]}.agentic-{os.getpid()}"
    _sweep(folder, beside)
    descriptor, nameless = _temporary(folder, beside, may_link=os.link not in _fails)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        if like is not None:
            _resemble(descriptor, like, source)
        elif mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
        if not still():
            raise OSError(errno.ESTALE, "changed in the meantime; nothing was changed")
        if nameless:
            try:
                _link_open(descriptor, name if exclusive else beside, folder)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                _fails.add(os.link)  # a system that allows no links: files get their name first
                put(folder, name, data, like, exclusive, source, still, mode)
                return
        if exclusive and not nameless:
            _name_new(beside, name, folder)
        elif not exclusive:
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        with suppress(OSError):  # it is written, and some file systems know no such thing
            os.fsync(folder)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(beside, dir_fd=folder)


_fails = set[Callable[..., None]]()  # what this system was found not to allow


def _temporary(folder: int, beside: str, may_link: bool) -> tuple[int, bool]:
    """(descriptor, whether the file has no name yet: a kill leaves nothing of it then)"""
    if may_link and _NAMELESS and os.access("/proc/self/fd", os.X_OK):
        with suppress(OSError):  # the file system knows no such files
            return os.open(".", os.O_WRONLY | _NAMELESS | os.O_CLOEXEC, 0o666, dir_fd=folder), True
    return os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder), False


def _sweep(folder: int, beside: str) -> None:
    """Takes away what a kill left of earlier writes of this file."""
    stem = beside.rpartition("-")[0] + "-"
    for name in os.listdir(folder):
        if name.startswith(stem) and not _runs(name.removeprefix(stem)):
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError):
        return True  # none of ours
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return int(pid) != os.getpid()


def _link_open(descriptor: int, name: str, folder: int) -> None:
    os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=folder, follow_symlinks=True)


def _name_new(beside: str, name: str, folder: int) -> None:
    try:
        os.link(beside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        claimed = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
        os.close(claimed)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)


def _resemble(descriptor: int, like: os.stat_result, source: int) -> None:
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        try:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        except OSError as error:
            raise OSError(error.errno, "belongs to somebody else, and would be yours if it were replaced") from error
    os.fchmod(descriptor, like.st_mode & 0o7777)
    if source >= 0 and hasattr(os, "listxattr"):
        for name in _attributes(source):
            with suppress(OSError):  # those of the system's own that only root may set
                os.setxattr(descriptor, name, os.getxattr(source, name))


def _attributes(descriptor: int) -> list[str]:
    try:
        return os.listxattr(descriptor)
    except OSError:
        return []


def replace_file(path: Path, data: bytes) -> None:
    """Writes one of our own files, with its folder where that is missing. New ones below our folders are the user's alone.

    Raises OSError.
    """
    is_ours = any(path.is_relative_to(folder) for folder in own_folders())
    if is_ours:
        make_own(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    like = path.stat() if path.exists() else None
    with Beneath(path.parent) as folder:
        put(folder, path.name, data, like, mode=0o600 if is_ours else None)


def private(name: str, flags: int) -> int:
    """An `opener` for `open`: a new file is the user's alone, whatever the umask."""
    return os.open(name, flags, 0o600)


def make_own(folder: Path) -> None:
    """Makes a folder that nobody else looks into, whatever the umask. Raises OSError."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        with suppress(FileExistsError):
            missing.mkdir(0o700)
            missing.chmod(0o700)


def changed_at(path: Path) -> float:
    """When the file was written last, in seconds since the epoch; 0 where that cannot be known."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
