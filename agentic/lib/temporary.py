"""Folders of a process's own, which are gone when it ends, and when it was killed, with the next start."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "agentic-held-"
MOST = 50  # folders that are cleared at a start
SECONDS = 1.0  # that this may take
YOUNG = 60.0  # seconds for which a folder may be about to be held
_held: dict[Path, int] = {}


def new_folder() -> Path:
    """Makes a folder of ours alone, and returns its real name. It is held by a lock, which no kill leaves behind."""
    if not _held:
        _clear(tempfile.gettempdir(), YOUNG)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    _held[folder] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with suppress(OSError):  # a file system without locks: after a kill it is cleared by hand
        fcntl.flock(_held[folder], fcntl.LOCK_SH)
    return folder


def remove(folder: Path) -> None:
    """Takes one away that `new_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder in _held:
        os.close(_held.pop(folder))


def _clear(place: str, young: float) -> None:
    """Takes away what killed processes of this user left there, as far as it takes no time."""
    end = time.monotonic() + SECONDS
    found = [name for name in os.listdir(place) if name.startswith(PREFIX)][:MOST]
    for path in (os.path.join(place, name) for name in found):
        if time.monotonic() < end and _is_left(path, young):
            shutil.rmtree(path, ignore_errors=True)


def _is_left(path: str, young: float) -> bool:
    """True if it is a folder of this user that nobody holds."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        seen = os.fstat(folder)
        if seen.st_uid != os.getuid() or time.time() - seen.st_ctime < young or not stat.S_ISDIR(seen.st_mode):
            return False
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(folder)
    return True
