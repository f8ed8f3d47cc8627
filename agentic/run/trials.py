"""The usage lines of a task, tried out: `python todo.py add TEXT`, then `python todo.py list`, in a copy of the folder."""

import re
import shlex
from pathlib import Path

MAX_FOLDER_BYTES = 5_000_000
_USAGE = re.compile(r"`(python3? [\w./-]+\.py[^`\n]*)`\s*((?:still |then |also )?\w+)")
_PLACEHOLDER = re.compile(r"\b[A-Z][A-Z_]*\b|<[^>]+>")
_SAMPLE = r"name,value\na,1\nb,2\n"
_PRINTS = ("print", "show", "list", "output", "display")


def trial_command(task: str, root: Path) -> str:
    """A shell command that fails where a usage line crashes, or prints nothing though the task says that it prints. "" for none."""
    lines = [(match[1], match[2].split()[-1].startswith(_PRINTS)) for match in _USAGE.finditer(re.sub(r"\s+", " ", task))]
    if not lines or not any(_PLACEHOLDER.search(line) for line, _ in lines) or _size(root) > MAX_FOLDER_BYTES:
        return ""
    steps = [_step(_filled(line), prints) for line, prints in lines]
    copy = f'd=$(mktemp -d); cp -r . "$d"; cd "$d"; printf {shlex.quote(_SAMPLE)} > sample.csv'
    return "; ".join([copy, *steps, 'rm -rf "$d"'])


def _filled(line: str) -> str:
    return _PLACEHOLDER.sub(lambda match: _value(match[0]), line)


def _value(placeholder: str) -> str:
    name = placeholder.strip("<>").upper()
    if any(word in name for word in ("FILE", "PATH", "INPUT")):
        return "sample.csv"
    if any(word in name for word in ("NUMBER", "COUNT", "INDEX", "ID", "SIZE")) or name == "N":
        return "1"
    return "value"


def _step(line: str, prints: bool) -> str:
    check = f'case "$o" in *Traceback*) echo "$o"; exit 1;; "") {_silent(line) if prints else ":"};; esac'
    return f"o=$({line} 2>&1); {check}"


def _silent(line: str) -> str:
    return f"echo {shlex.quote(f'{line} printed nothing, but it must print something')}; exit 1"


def _size(root: Path) -> int:
    total = 0
    for path in root.rglob("*"):
        total += path.lstat().st_size
        if total > MAX_FOLDER_BYTES:
            break
    return total
