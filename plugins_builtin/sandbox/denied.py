"""The files of programs that rules deny, which commands do not find."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def files_of(programs: Iterable[str], writable: Sequence[Path]) -> Iterator[Path]:
    """Yields the paths of programs that rules deny: a command does not find them, whatever starts them.

    Not what commands need to run at all, nor a file that is several programs, nor one that a command could write itself.
    """
    needed = {os.path.realpath(path) for path in ("/bin/sh", "/bin/bash", "/usr/bin/env", sys.executable)}
    for folder in os.get_exec_path():
        for name in programs:
            path = os.path.realpath(os.path.join(folder, name))
            is_own = any(Path(path).is_relative_to(os.path.realpath(each)) for each in writable)
            if os.path.isfile(path) and name in os.path.basename(path) and path not in needed and not is_own:
                yield from _names_of(path)


def _names_of(path: str) -> Iterator[Path]:
    """The file's, and its other names in the same folder: perl and perl5.36.0 are one."""
    info = os.stat(path)
    yield Path(path)
    if info.st_nlink > 1:
        with os.scandir(os.path.dirname(path)) as entries:
            yield from (Path(entry.path) for entry in entries if entry.inode() == info.st_ino and entry.path != path)
