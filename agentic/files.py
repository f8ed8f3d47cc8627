"""The files of a folder, without what its .gitignore files leave out. Git is not asked: it would run what a project configures."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_VERSION_CONTROL = {".git", ".hg", ".svn", ".jj"}
_LEFT_BEHIND = {"__pycache__", "node_modules", "venv", ".venv"}  # what other tools leave has a .gitignore of its own
_IGNORE = ".gitignore"

_Rules = tuple[tuple[str, Any], ...]
"""(folder with a slash behind it or "", its patterns), the outermost first."""


def files_below(root: Path, folder: str = ".") -> Iterator[str]:
    """Paths relative to `root`, the shallow ones first and each folder's sorted. Links to folders are not followed.

    What tools leave behind (caches, environments, installed packages) is left out as well.
    """
    top = _repository(root)
    start = os.path.normpath(root / folder)
    rules = _rules_above(top, start)
    waiting: list[tuple[str, _Rules]] = [(start, rules)]
    while waiting:
        path, rules = waiting.pop(0)
        rules = _with_rules(top, path, rules)
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            inside = entry.is_dir(follow_symlinks=False)
            if (inside and entry.name in _VERSION_CONTROL | _LEFT_BEHIND) or _ignored(top, entry.path, inside, rules):
                continue
            if inside:
                waiting.append((entry.path, rules))
            elif not entry.is_dir():
                yield os.path.relpath(entry.path, root)


def _repository(root: Path) -> str:
    """The folder whose .gitignore counts first: the repository's, else the root itself."""
    return str(next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root))


def _rules_above(top: str, folder: str) -> _Rules:
    """The rules of the repository itself and of every folder from its top down to, and without, this one."""
    rules = _read(os.path.join(top, ".git", "info", "exclude"), "")
    steps = os.path.relpath(folder, top)
    path = top
    for step in [] if steps in (".", "") or steps.startswith("..") else steps.split(os.sep):
        rules = _with_rules(top, path, rules)
        path = os.path.join(path, step)
    return rules


def _with_rules(top: str, folder: str, rules: _Rules) -> _Rules:
    inside = os.path.relpath(folder, top)
    return rules + _read(os.path.join(folder, _IGNORE), "" if inside == "." else f"{inside}/")


def _read(path: str, folder: str) -> _Rules:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines: Sequence[str] = file.read().splitlines()
    except OSError:
        return ()
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return ()
    from pathspec import GitIgnoreSpec

    return ((folder, GitIgnoreSpec.from_lines(lines)),)


def _ignored(top: str, path: str, is_folder: bool, rules: _Rules) -> bool:
    """What the innermost file says that says anything."""
    if not rules:
        return False
    inside = os.path.relpath(path, top) + ("/" if is_folder else "")
    for folder, patterns in reversed(rules):
        if inside.startswith(folder):
            said = patterns.check_file(inside.removeprefix(folder)).include
            if said is not None:
                return bool(said)
    return False
