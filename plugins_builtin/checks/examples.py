"""The examples in docstrings, of functions that were changed: doctests prove, lines such as `f(1) == 2` are a hint."""

import ast
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from agentic import Change, Check, CheckResult, Failure, Setup, ToolOutput, Workspace
from plugins_builtin.checks.common import MAX_MESSAGE, cannot_run
from plugins_builtin.checks.python_project import definitions, interpreter, is_test, parsed, texts

MAX_FILES = 20
_PROGRAM = Path(__file__).parent / "run_examples.py"


class Doctests:
    name: ClassVar = "doctests"
    check: ClassVar = Check("doctests", "The examples in docstrings")

    def __init__(self, setup: Setup) -> None:
        self._configured = bool(setup.settings.checks.test)
        self._before: dict[str, str] = {}

    def has_examples(self, text: str) -> bool:
        return ">>> " in text

    def checks(self, task: str, workspace: Workspace, changes: Sequence[Change]) -> list[Check]:
        now = texts(workspace)
        if not changes:
            self._before = now
        changed = [change.path for change in changes if change.path in now and not is_test(change.path)]
        paths = [path for path in changed if _passive(now[path]) and self.has_examples(now[path])][:MAX_FILES]
        if self._configured or not paths:
            return []
        command = f"{interpreter(workspace.root)} {shlex.join([str(_PROGRAM), self.name, *paths])}"
        return [Check(self.check.name, self.check.what, command, authority=self.check.authority)]

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        if unable := cannot_run(output):
            return unable
        found = [json.loads(line) for line in output.text.splitlines() if line.startswith("{") and '"file"' in line]
        now = texts(workspace)
        failures = tuple(_failure(each, now, self._before) for each in found if "example" in each)
        errors = [each["error"] for each in found if "error" in each]
        if not failures and errors:
            return CheckResult("cannot_run", why=errors[0][:200])
        return CheckResult("fails" if failures else "passes", failures)


class CallExamples(Doctests):
    name = "calls"
    check = Check("call examples", "What the docstrings say of calls", authority="hint")

    def has_examples(self, text: str) -> bool:
        from plugins_builtin.checks.run_examples import examples  # which brings doctest, and with it the debugger

        return any(True for name, text in _docstrings(text) for _ in examples(text, name))


def _failure(found: dict[str, str], now: dict[str, str], before: dict[str, str]) -> Failure:
    path, function = found["file"], found["function"]
    is_new = definitions(now.get(path, "")).get(function) != definitions(before.get(path, "")).get(function)
    is_own = found["example"] not in before.get(path, "")  # an example that the task brought is no better than what it is of
    message = f"`{found['example']}` must give {found['wanted'] or 'nothing'}, but it gives {found['got'] or 'nothing'}"
    return Failure(f"{path}: {found['example']}", message[:MAX_MESSAGE], is_new, (path,), is_own)


def _docstrings(text: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(parsed(text) or ast.Module([], [])):
        if isinstance(node, ast.FunctionDef):
            yield node.name, ast.get_docstring(node) or ""


def _passive(text: str) -> bool:
    """True if importing the file does nothing but define things."""
    tree = parsed(text)
    return tree is not None and all(_defines(node) for node in tree.body)


def _defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return not any(isinstance(part, ast.Call) for part in ast.walk(node))
    if isinstance(node, ast.If):
        return "__name__" in ast.unparse(node.test) or "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Pass)
