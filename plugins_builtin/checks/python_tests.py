"""pytest and unittest, run by the project's own interpreter."""

import ast
import os
import re
import textwrap
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from agentic import Change, Check, CheckResult, Failure, Setup, ToolOutput, Workspace
from agentic.hooks.checks import HIDES
from agentic.lib.patterns import late_pattern
from plugins_builtin.checks.common import MAX_MESSAGE, cannot_run
from plugins_builtin.checks.python_project import MAX_BYTES, Imports, definitions, interpreter, is_test, parsed, texts

MAX_SUSPECTS = 2
_NO_TESTS = 5  # pytest's exit code
# The whole suite, however much it says: nothing that picks tests.
_PYTEST = r"(?:PYTHONPATH=\S+ )?(?:(?:{}|python3?) -m )?(?:pytest|py\.test)(?: (?:-[qvsxl]+|-r\w*|--tb=\w+|--no-header|\.))*"
_UNITTEST_RUN = r"(?:{}|python3?) -m unittest(?:{}| discover)?(?: -[vqfb]+)*"
_CALLED = late_pattern(r"\b([A-Za-z_]\w*)\s*\(")
_NO_MODULE = late_pattern(r"ModuleNotFoundError: No module named '([\w.]+)'")
_RAISED = late_pattern(r"^(\w[\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b.*)$", re.MULTILINE)
_UNITTEST = late_pattern(r"^(?:ERROR|FAIL): (\w+) \(([\w.]+)\).*?(?=^={70}|^-{70}\nRan |\Z)", re.MULTILINE | re.DOTALL)
_FRAME = late_pattern(r'^ {2}File "([^"]+)", line (\d+)', re.MULTILINE)
_PLACE = late_pattern(r"^([\w./-]+\.py):(\d+): ?", re.MULTILINE)
_CODE = late_pattern(r"^> +(\S.*)$", re.MULTILINE)
_SAID = late_pattern(r"^E {3,}(\S.*)$", re.MULTILINE)


class PythonTests:
    def __init__(self, setup: Setup) -> None:
        self._configured = bool(setup.settings.checks.test)

    def _report(self, workspace: Workspace) -> Path:
        """The report of a run in that folder; several may run at once, each in a copy."""
        return workspace.temporary / f"report-{os.getpid()}-{zlib.crc32(os.fsencode(workspace.root)):08x}.xml"

    def checks(self, task: str, workspace: Workspace, changes: Sequence[Change]) -> list[Check]:
        root = workspace.root
        tests = {path: text for path, text in texts(workspace).items() if is_test(path)}
        if self._configured or not any(re.search(r"\bdef test|\bclass \w*Test", text) for text in tests.values()):
            return []
        python = interpreter(root)
        if wants_pytest(workspace, tests.values()):
            extra = f"-pno:cacheprovider -ojunit_family=xunit1 --junit-xml={self._report(workspace)}"
            return [Check("python tests", "The tests", f"{python} -m pytest -q", extra, also=_PYTEST.format(re.escape(python)))]
        start = "" if any("/" not in path for path in tests) else f" discover -s {_common_folder(tests)} -t ."
        also = _UNITTEST_RUN.format(re.escape(python), re.escape(start))
        return [Check("python tests", "The tests", f"{python} -m unittest{start}", also=also)]

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        if unable := cannot_run(output):
            return unable
        if missing := re.search(r"No module named '?(pytest|unittest)\b", output.text):
            return CheckResult("cannot_run", why=f"{missing[1]} is not installed in this project's environment")
        if output.exit_code == _NO_TESTS or "Ran 0 tests" in output.text:
            return CheckResult("cannot_run", why="there are no tests")
        if not output.failed:
            nothing = CheckResult("cannot_run", why="every test was skipped")
            passes = CheckResult("passes", total=passes_in(output.text))
            return passes if _has_run(output.text, "pytest" in check.command) else nothing
        project = Failures(workspace, changes)
        failures = tuple(
            project.of_pytest(self._report(workspace)) if "pytest" in check.command else project.of_unittest(output.text)
        )
        if failures and all(_NO_MODULE.search(failure.message) for failure in failures):
            names = {match[1].partition(".")[0] for failure in failures if (match := _NO_MODULE.search(failure.message))}
            if not any(project.has(name) for name in names):
                return CheckResult("cannot_run", why=f"{', '.join(sorted(names))} is not installed here")
        if not failures:
            last = (output.text.strip().splitlines() or [""])[-1]
            return CheckResult("cannot_run", why=f"the runner stopped: {last[:200]}")
        ran = re.search(r"^Ran (\d+) tests? in", output.text, re.MULTILINE)
        passed = int(ran[1]) - len(failures) if ran else passes_in(output.text)
        hides = any(failure.weight > 1 for failure in failures)
        return CheckResult("fails", failures, some_pass=passed > 0, total=0 if hides else passed + len(failures))


def passes_in(text: str) -> int:
    """How many tests passed; 0 where the runner does not say."""
    said = re.search(r"\b(\d+) passed\b", text) or re.search(r"^Ran (\d+) tests? in", text, re.MULTILINE)
    return int(said[1]) if said else 0


def _has_run(text: str, by_pytest: bool) -> bool:
    """True if a test did not only stand there to be skipped."""
    if by_pytest:
        return re.search(r"\b[1-9]\d* passed\b", text) is not None or " skipped" not in text
    ran, skipped = re.search(r"^Ran (\d+) tests? in", text, re.MULTILINE), re.search(r"skipped=(\d+)", text)
    return ran is None or skipped is None or int(skipped[1]) < int(ran[1])


class Failures:
    """Reads a runner's report with the project's files beside it."""

    def __init__(self, workspace: Workspace, changes: Sequence[Change]) -> None:
        self._root = workspace.root
        self._files = texts(workspace)
        self._imports = Imports(self._files)
        self._changed = {change.path for change in changes}
        self._created = {change.path for change in changes if change.kind == "created"}

    def has(self, module: str) -> bool:
        """True if a module of that name is one of the project's."""
        return any(module in PurePath(path).with_suffix("").parts for path in self._files)

    def of_pytest(self, report: Path) -> Iterator[Failure]:
        try:
            tree = ElementTree.parse(report)
        except (OSError, ElementTree.ParseError):
            return
        finally:
            report.unlink(missing_ok=True)
        for case in tree.iter("testcase"):
            for problem in [*case.findall("failure"), *case.findall("error")]:
                text = f"{problem.get('message', '')}\n{problem.text or ''}"
                path = case.get("file") or _path_of(case.get("classname", ""), self._files)
                collecting = not case.get("line") and "collection" in problem.get("message", "")
                name = f"{path}::{case.get('name', '')}"
                yield self._failure(name, path, _essence(path, case.get("name", ""), text), collecting)

    def of_unittest(self, text: str) -> Iterator[Failure]:
        for block in _UNITTEST.finditer(text):
            frames = [(os.path.relpath(file, self._root), int(line)) for file, line in _FRAME.findall(block[0])]
            inside = [(file, line) for file, line in frames if file in self._files]
            path, line = inside[0] if inside else ("", 0)
            raised = (_RAISED.findall(block[0]) or [block[0].strip().splitlines()[-1]])[-1]
            code = _function_at(self._files.get(path, ""), line)
            message = f"{code}\n    →  {raised}" if code else f"{block[1]}  →  {raised}"
            name = block[2] if block[2].endswith(f".{block[1]}") else f"{block[2]}.{block[1]}"  # as Python before 3.11 has it
            yield self._failure(name, path, message, "_FailedTest" in block[2])

    def _failure(self, name: str, path: str, message: str, hides: bool) -> Failure:
        reached = self._imports.reached(path)
        related = not self._changed or path not in self._files or bool(self._changed & {path, *reached})
        suspects = tuple(self._suspects(path, message))
        return Failure(name, message[:MAX_MESSAGE], related, suspects, path in self._created, HIDES if hides else 1)

    def _suspects(self, path: str, message: str) -> Iterable[str]:
        """Files that define what the failed lines call, else those that the test imports; the imported before its importers."""
        direct = [other for other in self._imports.of(path) if not is_test(other)]
        called = set(_CALLED.findall(message))
        near = [
            other for other in {**dict.fromkeys(direct), **dict.fromkeys(sorted(self._imports.reached(path)))} if not is_test(other)
        ]
        found = [other for other in near if called & {name.rpartition(".")[2] for name in definitions(self._files[other])}]
        lowest = [other for other in found if not self._imports.reached(other) & (set(found) - {other})]
        return (lowest or found or direct)[:MAX_SUSPECTS]


def _path_of(classname: str, files: Mapping[str, str]) -> str:
    """The file of a dotted name, "tests.test_a.TestB"; a file that could not be imported has no other name."""
    parts = classname.split(".")
    candidates = ("/".join(parts[:end]) + ".py" for end in range(len(parts), 0, -1))
    return next((path for path in candidates if path in files), "")


def _essence(path: str, name: str, text: str) -> str:
    """The test's line and what it raised: models see a few plain lines, and miss them in a page of output."""
    places, code, said = _PLACE.findall(text), _CODE.findall(text), _SAID.findall(text)
    if not said:
        return f"{name}: {text.strip()[-MAX_MESSAGE:]}"
    where = next((f"{file} line {line}" for file, line in places if file == path), path or name)
    raised = "\n".join(said[:3])
    return f"{where}: {code[0]}\n    →  {raised}" if code else f"{where}\n    →  {said[-1]}"


def _function_at(text: str, line: int) -> str:
    """The source of the function around a line."""
    for node in ast.walk(parsed(text) or ast.Module([], [])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= line <= (node.end_lineno or 0):
            return textwrap.dedent("\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno]))
    return ""


def wants_pytest(workspace: Workspace, tests: Iterable[str]) -> bool:
    if workspace.stamp("pytest.ini") or "[tool.pytest" in workspace.text("pyproject.toml", MAX_BYTES):
        return True
    return any("import pytest" in text or ("\ndef test_" in f"\n{text}" and "unittest" not in text) for text in tests)


def _common_folder(tests: Iterable[str]) -> str:
    return os.path.commonpath([os.path.dirname(path) for path in tests]) or "."
