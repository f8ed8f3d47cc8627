"""A folder's Python files: what they define, what they import, and the interpreter that belongs to them."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePath

from agentic import Workspace
from plugins_builtin.checks.common import installed

MAX_FILES = 500
MAX_BYTES = 200_000
_TEST = re.compile(r"(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$")


def interpreter(root: Path) -> str:
    """How the project's own Python is started."""
    for folder in (".venv", "venv"):
        for program in ("bin/python", "Scripts/python.exe"):
            if (root / folder / program).exists():
                return f"{folder}/{program}"
    for lock, tool in (("uv.lock", "uv run python"), ("poetry.lock", "poetry run python"), ("pdm.lock", "pdm run python")):
        if (root / lock).exists() and installed(tool.split()[0]):
            return tool
    return "python3"


def is_test(path: str) -> bool:
    return bool(_TEST.search(path))


def texts(workspace: Workspace) -> dict[str, str]:
    """The Python files' text by path, as far as there are not too many."""
    found = {}
    for name in islice((name for name in workspace.files() if name.endswith(".py")), MAX_FILES):
        stamp = workspace.stamp(name)  # five checkers look at the same files: one is read anew when it is another
        if stamp is not None and stamp[1] <= MAX_BYTES:
            key = (workspace.root, name)
            if (known := _TEXTS.get(key)) is None or known[0] != stamp:
                _TEXTS[key] = known = stamp, workspace.text(name, MAX_BYTES)
            found[name] = known[1]
    return found


_TEXTS: dict[tuple[Path, str], tuple[tuple[int, int, int], str]] = {}


@lru_cache(maxsize=2 * MAX_FILES)
def parsed(text: str) -> ast.Module | None:
    """None for what is no Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def definitions(text: str) -> dict[str, str]:
    """The functions and classes of a file with their source, also those within classes, as "Class.method"."""
    tree = parsed(text)
    return dict(_definitions(tree, text, "")) if tree else {}


def _definitions(parent: ast.AST, text: str, prefix: str) -> Iterator[tuple[str, str]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}", ast.get_source_segment(text, node) or ""
            if isinstance(node, ast.ClassDef):
                yield from _definitions(node, text, f"{prefix}{node.name}.")


def names(text: str) -> set[str] | None:
    """Returns the names that a file offers to imports; None if unknown (a star import, a `__getattr__`, no Python)."""
    tree = parsed(text)
    if tree is None:
        return None
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return None if found & {"*", "__getattr__"} else found


class Imports:
    """Which file imports what from which, by the paths of `files`."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._modules = {name: path for path in files for name in _module_names(path)}

    def of(self, path: str) -> dict[str, set[str]]:
        """Files that a file imports, each with the names that it takes from there."""
        tree = parsed(self._files.get(path, ""))
        beside = ".".join(PurePath(path).parts[:-1])  # what a script imports from its own folder
        found: dict[str, set[str]] = {}
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._add(found, beside, alias.name)
            elif isinstance(node, ast.ImportFrom):
                module = _absolute(path, node.module or "", node.level)
                for alias in node.names:
                    if not self._add(found, beside, f"{module}.{alias.name}".strip(".")):
                        self._add(found, beside, module, alias.name)
        found.pop(path, None)
        return found

    def _add(self, found: dict[str, set[str]], beside: str, module: str, name: str = "") -> bool:
        target = self._modules.get(module) or self._modules.get(f"{beside}.{module}")
        if target is None:
            return False
        found.setdefault(target, set()).update({name} - {""})
        return True

    def reached(self, path: str) -> set[str]:
        """All files that a file imports, directly or not."""
        seen: set[str] = set()
        waiting = [path]
        while waiting:
            for other in self.of(waiting.pop()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return seen


def _module_names(path: str) -> Iterator[str]:
    """Yields the module names by which a file may be imported: from the root, and from a folder for sources."""
    parts = PurePath(path).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    for start in range(len(parts)):
        if start == 0 or parts[start - 1] in ("src", "lib", "tests", "test"):
            yield ".".join(parts[start:])


def _absolute(path: str, module: str, level: int) -> str:
    if not level:
        return module
    folder = PurePath(path).parts[:-level]
    return ".".join((*folder, *([module] if module else [])))
