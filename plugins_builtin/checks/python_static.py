"""The checks for plain faults in Python files: syntax, undefined names, imports of what is not there any more."""

import ast
from collections.abc import Iterator, Mapping, Sequence

from agentic import Change, Check, CheckResult, Failure, Setup, ToolOutput, Workspace
from agentic.hooks.checks import HIDES
from plugins_builtin.checks.common import changed
from plugins_builtin.checks.python_project import Imports, definitions, is_test, names, parsed, texts

_WRONG = ("UndefinedName", "UndefinedLocal", "UndefinedExport", "ReturnOutsideFunction", "YieldOutsideFunction")


class PythonStatic:
    """Only what is new counts: `_before` are the files as they were."""

    def __init__(self, setup: Setup) -> None:
        self._before: dict[str, str] = {}

    def checks(self, task: str, workspace: Workspace, changes: Sequence[Change]) -> list[Check]:
        if not changes:
            self._before = texts(workspace)
        return [Check("python static", "The names and imports of the Python files", covers=False)] if _python(changes) else []

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        now, paths = texts(workspace), _python(changes)
        was = set(_problems(self._before, paths))
        found = {problem: path for problem, path in _problems(now, paths).items() if problem not in was}
        failures = tuple(Failure(problem, problem, files=(path,), weight=HIDES) for problem, path in found.items())
        return CheckResult("fails" if failures else "passes", failures)

    def same(self, path: str, before: bytes, after: bytes) -> bool:
        """True if both are Python of the same statements."""
        trees = [parsed(each.decode("utf-8", "replace")) for each in (before, after)] if path.endswith(".py") else [None]
        return None not in trees and len({ast.dump(tree) for tree in trees if tree is not None}) == 1


class PythonDefinitions:
    """Functions and classes that a file had and has no more. That may be meant: it is a hint."""

    def __init__(self, setup: Setup) -> None:
        self._before: dict[str, str] = {}

    def checks(self, task: str, workspace: Workspace, changes: Sequence[Change]) -> list[Check]:
        if not changes:
            self._before = texts(workspace)
        what = "Definitions are gone"
        return [Check("python definitions", what, authority="hint", covers=False)] if _python(changes) else []

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        now = texts(workspace)
        kept = {name for path in _python(changes) for name in definitions(now.get(path, ""))}
        gone = [
            (path, name)
            for path in changed(changes, ".py")
            for name in definitions(self._before.get(path, ""))
            if name not in kept and "." not in name and not name.startswith("_") and not is_test(path)
        ]
        failures = tuple(Failure(f"{path} no longer defines {name}", files=(path,)) for path, name in gone)
        return CheckResult("fails" if failures else "passes", failures)


def _python(changes: Sequence[Change]) -> list[str]:
    return [change.path for change in changes if change.path.endswith(".py")]


def _problems(files: Mapping[str, str], paths: Sequence[str]) -> dict[str, str]:
    """Returns the problems in these files, and in files that import from them, each with the file to correct."""
    found = {problem: path for path in paths if path in files for problem in _in_file(path, files[path])}
    imports = Imports(files)
    for path in files:
        for target, wanted in imports.of(path).items():
            if target in paths and (there := names(files[target])) is not None:
                for name in sorted(wanted - there - {"*"}):
                    found[f"{path} imports {name} from {target}, which does not define it"] = target
    return found


def _in_file(path: str, text: str) -> Iterator[str]:
    tree = parsed(text)
    if tree is None:
        try:
            compile(text, path, "exec")
        except (SyntaxError, ValueError) as error:
            where = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
            yield f"{path}{where}: it is not valid Python: {getattr(error, 'msg', error)}"
        except (RecursionError, MemoryError):
            yield f"{path}: it is nested too deeply for Python"
        return
    from pyflakes.checker import Checker

    try:
        messages = Checker(tree, filename=path).messages
    except RecursionError:
        return
    for message in messages:
        if type(message).__name__ in _WRONG:
            yield f"{path}: {message.message % message.message_args}"
