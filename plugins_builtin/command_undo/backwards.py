"""Steps that put back what a command did to protected names; one that fails does not keep the others."""

import os
from collections.abc import Callable, Mapping
from functools import partial

from agentic.lib.files.walk import VERSION_CONTROL
from agentic.sessions.undo import CommandChange
from plugins_builtin.command_undo.entries import FILE, FOLDER, PRIVATE
from plugins_builtin.command_undo.put_back import PutBack

NOT_DONE = " (not put back: "
MAX_NAMED = 20


def holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def take_away(
    back: PutBack, before: Mapping[str, str], now: Mapping[str, str], were: Mapping[str, int], are: Mapping[str, int]
) -> list[str]:
    """Links and folders with protected names that were not there: moved back where they were moved here, else removed."""
    done: list[str] = []
    gone = {inode: path for path, inode in were.items() if path not in now}
    for path, kind in sorted(now.items()):
        if kind in (FILE, PRIVATE, before.get(path)) or any(holds(each, path) for each in done):
            continue
        if kind == FOLDER and are.get(path) in gone:
            done.append(_tried(path, partial(back.move, path, gone[are[path]])))
            continue
        done.append(_tried(path, partial(back.remove, path)))
    return done


def make_again(back: PutBack, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Links that are gone or lead elsewhere; what cannot be made again is named."""
    done: list[str] = []
    for path, kind in before.items():
        if kind not in (FILE, PRIVATE, FOLDER, now.get(path)):
            done.append(_tried(path, partial(back.link, path, kind.removeprefix("-> "))))
        elif kind == FOLDER and path not in now and os.path.basename(path) in VERSION_CONTROL and not back.has(f"{path}/objects"):
            done.append(f"{path} (deleted: its history cannot be put back)")
    return done


def put_back_file(back: PutBack, change: CommandChange) -> str:
    if not change.known:
        return f"{change.path}{NOT_DONE}it is too large to be kept, so look at it)"
    if change.before is None:
        return _tried(change.path, partial(back.remove, change.path))
    return _tried(change.path, partial(back.write, change.path, change.before, change.mode, change.inode))


def _tried(path: str, work: Callable[[], object]) -> str:
    """The path, and why not where `work` failed: one that cannot be put back does not keep the others."""
    try:
        work()
    except (OSError, ValueError, RecursionError) as error:
        return f"{path}{NOT_DONE}{getattr(error, 'strerror', None) or error})"
    return path
