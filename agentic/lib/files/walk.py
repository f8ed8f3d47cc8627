"""The files of a folder, without what its .gitignore and .agenticignore files leave out.

Git is not asked: it would run what a project configures.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agentic.lib.expressions import ends
from agentic.lib.files.beneath import FOLDER, Beneath, open_beneath, read_regular
from agentic.lib.files.names import printable_name, stored
from agentic.lib.record import record

MAX_RULES_BYTES = 1_000_000  # of one .gitignore
MAX_RULES = 2_000  # lines of one: each is asked about each entry
VERSION_CONTROL = {".git", ".hg", ".svn", ".jj"}
_OTHERS = VERSION_CONTROL | {"__pycache__", "node_modules", "venv", ".venv"}  # what other tools leave has a .gitignore of its own
_IGNORE = (".gitignore", ".agenticignore")  # what the second says of a file counts

_Rules = tuple[tuple[str, Any], ...]
"""(folder with a slash behind it or "", its patterns), the outermost first."""


def files_below(root: Path, folder: str = ".") -> Iterator[str]:
    """Paths relative to `root` as they can be shown, the shallow ones first and each folder's sorted.

    Links to folders are not followed. What tools leave behind (caches, environments, installed packages) is left out as well, and
    what is neither a file nor a link.
    """
    for each in folders_below(root, folder):
        yield from (printable_name(each.path + entry.name) for entry in each.files if not each.ignores(entry.name))


@record(frozen=True, slots=True)
class Folder:
    """An open folder: `path` from the root with a slash behind it, "" for the root; its files and links to files, sorted."""

    path: str
    descriptor: int
    files: Sequence["os.DirEntry[str]"]
    _prefix: str
    _rules: _Rules

    def ignores(self, name: str) -> bool:
        """True if a .gitignore leaves this file out."""
        return _ignored(self._prefix + self.path + name, False, self._rules)


def folders_below(root: Path, start: str = ".") -> Iterator[Folder]:
    """The folders that no .gitignore leaves out, from `start` on, the shallow ones first. Links to folders are not followed."""
    top = str(project_top(root))
    prefix = _slashed(os.path.relpath(root, top))
    try:
        start = os.path.normpath(stored(start))
        with Beneath(root) as opened:
            rules = _rules_above(top, os.path.join(root, start))
            yield from _walk(opened, prefix, "" if start == "." else f"{start}/", rules)
    except OSError:
        return


def _walk(root: int, prefix: str, start: str, rules: _Rules) -> Iterator[Folder]:
    waiting = deque([(start, rules)])
    links = 0  # only the folder that was asked for may be reached through one
    while waiting:
        path, rules = waiting.popleft()
        try:
            descriptor = open_beneath(root, path or ".", FOLDER | links)
        except OSError:
            continue
        links = os.O_NOFOLLOW
        try:
            for name in _IGNORE:
                rules += _read(name, prefix + path, descriptor)
            files = []
            for entry in sorted(os.scandir(descriptor), key=lambda entry: entry.name):
                if not entry.is_dir(follow_symlinks=False):
                    if entry.is_file(follow_symlinks=False) or (entry.is_symlink() and not _is_folder(entry)):
                        files.append(entry)
                elif entry.name not in _OTHERS and not _ignored(prefix + path + entry.name, True, rules):
                    waiting.append((f"{path}{entry.name}/", rules))
            yield Folder(path, descriptor, files, prefix, rules)
        finally:
            os.close(descriptor)


def _is_folder(link: "os.DirEntry[str]") -> bool:
    try:
        return link.is_dir()
    except OSError:
        return False


def _slashed(folder: str) -> str:
    return "" if folder == "." else f"{folder}/"


def project_top(root: Path) -> Path:
    """The repository's top that `root` is in, else `root` itself. Git is not asked."""
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)


def _rules_above(top: str, folder: str) -> _Rules:
    """The rules of the repository itself and of every folder from its top down to, and without, this one."""
    rules = _read(os.path.join(top, ".git", "info", "exclude"), "")
    steps = os.path.relpath(folder, top)
    path = top
    for step in [] if steps in (".", "") or steps.startswith("..") else steps.split(os.sep):
        for name in _IGNORE:
            rules += _read(os.path.join(path, name), _slashed(os.path.relpath(path, top)))
        path = os.path.join(path, step)
    return rules


def _read(path: str, folder: str, inside: int | None = None) -> _Rules:
    try:
        text = read_regular(path, MAX_RULES_BYTES, inside, follow=inside is None)
    except OSError:
        return ()
    lines = text.decode("utf-8", "replace").splitlines()[:MAX_RULES]
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return ()
    from pathspec import GitIgnoreSpec

    return ((folder, GitIgnoreSpec.from_lines(lines)),)


def _ignored(path: str, is_folder: bool, rules: _Rules) -> bool:
    """Returns True if the path is ignored by the innermost ignore file that says anything about it."""
    if not rules:
        return False
    inside = f"{path}/" if is_folder else path
    for folder, spec in reversed(rules):
        if inside.startswith(folder):
            for pattern in reversed(spec.patterns):
                if pattern.include is not None and _is_about(pattern.regex.pattern, inside.removeprefix(folder)):
                    return bool(pattern.include)
    return False


def _is_about(expression: str, path: str) -> bool:
    """True if a pattern matches the entry itself, and not only a folder above it: those were asked about on the way."""
    found = ends(expression, path)
    if "(?P<ps_d>" in expression or expression.endswith("$"):
        return len(path) in found
    return bool(found) and (found[0] < len(path) or not expression.endswith("/"))  # `a/**` is about what is in `a`
