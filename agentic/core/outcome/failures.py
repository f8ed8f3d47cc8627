"""The essence of what a test run or a program printed: small models see a few plain lines, and miss them in a page of output."""

import ast
import re
import textwrap
from pathlib import Path

MAX_FAILURES = 3
MAX_CHARACTERS = 1500
HIDDEN = 100
_UNITTEST = re.compile(r"^\n?(?:ERROR|FAIL): (\w+).*?(?=^={70}|^-{70}\nRan |\Z)", re.MULTILINE | re.DOTALL)
_FRAME = re.compile(r'^ {2}File "([^"]+)", line (\d+)', re.MULTILINE)
_RAISED = re.compile(r"^(\w[\w.]*(?:Error|Exception|Exit|Interrupt)\b.*)$", re.MULTILINE)
_COLLECTING = re.compile(r"^([\w./-]+\.py):(\d+): in .*\n +(\S.*)\n(?:[ ^~]*\n)?E +(\S.*)$", re.MULTILINE)
_HIDES_OTHERS = re.compile(r"→  (?:NameError|ImportError|ModuleNotFoundError|SyntaxError)")
_PYTEST_BLOCK = re.compile(r"^_{3,} .+ _{3,}\n(.*?)(?=^_{3,} |^={3,} |\Z)", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"^([\w./-]+\.py):(\d+): ", re.MULTILINE)
_PYTEST = re.compile(r"^E {3,}(\S.*)$", re.MULTILINE)


def essence(text: str, root: Path) -> str:
    """Each failed test's own lines and what it raised, where the output is understood and the tests lie in `root`; else its end."""
    found = [_failure(block, root) for block in _UNITTEST.finditer(text)]
    found = found or [f"{file} line {line}: {code}\n    →  {raised}" for file, line, code, raised in _COLLECTING.findall(text)]
    found = found or [_pytest_failure(block) for block in _PYTEST_BLOCK.findall(text)] or _PYTEST.findall(text)
    found.sort(key=lambda part: not _HIDES_OTHERS.search(part))
    parts = list(dict.fromkeys(part for part in found if part))[: MAX_FAILURES if _UNITTEST.search(text) else 2 * MAX_FAILURES]
    return "\n".join(parts)[:MAX_CHARACTERS] if parts else text[-MAX_CHARACTERS:].strip()


def count_failures(text: str) -> int:
    """How many failures a check's output tells of, at least one; a file that cannot even be imported hides all of its tests."""
    last = re.search(r"^FAILED \(.+\)|^.*\d+ (?:failed|error).*$", text, re.MULTILINE)
    numbers = re.findall(r"(?:failures|errors)=(\d+)|(\d+) (?:failed|error)", last[0]) if last else []
    hidden = HIDDEN if re.search(r"errors? during collection|^ERROR: \S*_FailedTest", text, re.MULTILINE) else 0
    return max(1, sum(int(number or other) for number, other in numbers)) + hidden


def _failure(block: re.Match[str], root: Path) -> str:
    raised = _RAISED.findall(block[0])
    frame = _FRAME.search(block[0])
    if not raised or not frame:
        return ""
    body = _function_at(Path(frame[1]), int(frame[2]), root)
    return f"{body}\n    →  {raised[0]}" if body else f"{block[1]}  →  {raised[0]}"


def _pytest_failure(block: str) -> str:
    """The test, its line and what it raised."""
    raised, code, places = _PYTEST.findall(block), re.findall(r"^> +(\S.*)$", block, re.MULTILINE), _PLACE.findall(block)
    if not (raised and code and places):
        return ""
    said = "\n".join(raised[:3])
    return f"{places[0][0]} line {places[0][1]}: {code[0]}\n    →  {said}"


def _function_at(path: Path, line: int, root: Path) -> str:
    """The source of the function around a line, "" for a file that is not beneath `root`."""
    try:
        source = path.read_text(encoding="utf-8") if path.resolve().is_relative_to(root) else ""
        tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= line <= (node.end_lineno or 0):
            return textwrap.dedent("\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno]))
    return ""
