"""Examples that a task gives: `f(2) returns 4`, or `python a.py x` prints Y. They can be checked without asking anybody."""

import ast
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

_CALL = re.compile(
    r"\b([A-Za-z_]\w*)(\((?:[^()\"']|\"[^\"]*\"|'[^']*'|\([^()]*\))*\))`?\s*"
    r"(?:(?:must|should|will|shall)\s+)?(?:returns?|gives?|yields?|equals?|be|is|==|->|→)\s*`?"
)
_PRINTS = re.compile(r"`([^`\n]+)`\s+(?:still |then |also |now )?(?:prints|outputs|shows|displays)\s+(.+)")
_PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|[<\[{]")
_COMMANDS = ("python", "./", "node ", "ruby ", "go run", "cargo run", "bash ", "sh ")


def check_commands(task: str, root: Path, written: Iterable[str]) -> list[str]:
    """Shell commands that fail when the files in `root` do not do what the task's examples say."""
    return [*_call_checks(task, root, written), *_print_checks(task)]


def _call_checks(task: str, root: Path, written: Iterable[str]) -> Iterator[str]:
    for match in _CALL.finditer(task):
        name, arguments = match[1], match[2]
        expected = _literal_at(task[match.end() :])
        module = next((path for path in written if path.endswith(".py") and _defines(root / path, name)), "")
        if expected and module and _parses(f"{name}{arguments}"):
            module = module.removesuffix(".py").replace("/", ".")
            claim = json.dumps(f"{name}{arguments} gives %r, but it must give {expected}")
            code = f"from {module} import {name}; got = {name}{arguments}; assert got == {expected}, {claim} % (got,)"
            yield f"python3 -c {shlex.quote(code)}"


def _literal_at(text: str) -> str:
    """The Python literal that `text` begins with, "" if none: the longest that parses on the first line."""
    line = text.split("\n", 1)[0]
    for end in range(min(len(line), 200), 0, -1):
        if line[:end].rstrip().endswith(","):  # the sentence goes on; it is no tuple
            continue
        try:
            ast.literal_eval(line[:end].strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return line[:end].strip()
    return ""


def _parses(code: str) -> bool:
    try:
        ast.parse(code, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _defines(path: Path, name: str) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name for node in tree.body)


def _print_checks(task: str) -> Iterator[str]:
    text = re.sub(r"\n(?!\n)", " ", task)
    for piece in re.split(r"(?<=[.!])\s+(?=`)|\s+and\s+(?=`)", text):
        match = _PRINTS.search(piece)
        if not match or not match[1].startswith(_COMMANDS) or _PLACEHOLDER.search(match[1].replace("--", "")):
            continue
        expected = _printed(match[2])
        if expected:
            wrong = shlex.quote(f"{match[1]} must print {expected}, but it prints:")
            yield f'test "$({match[1]})" = {shlex.quote(expected)} || {{ echo {wrong}; {match[1]}; exit 1; }}'


def _printed(text: str) -> str:
    """The text that is printed: quoted, or to the end where it does not begin like a description."""
    quoted = re.match(r"[`\"']([^`\"'\n]+)[`\"']", text)
    if quoted:
        return quoted[1]
    plain = text.strip().rstrip(".")
    return "" if plain[:1].islower() or not plain or len(plain) > 80 else plain


def programs_that_do_nothing(task: str, root: Path, written: Iterable[str]) -> str:
    """The first written Python file that the task wants run as a program but that only defines things, "" if none."""
    for path in written:
        if re.search(rf"\bpython3? {re.escape(path)}\b", task) and _only_defines(root / path):
            return path
    return ""


def _only_defines(path: Path) -> bool:
    passive = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return False
    return all(isinstance(node, passive) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)
