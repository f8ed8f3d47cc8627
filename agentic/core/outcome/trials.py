"""The usage lines of a task, tried out: `python todo.py add TEXT`, then `python todo.py list`, in a copy of the folder."""

import re
import shlex
from pathlib import Path

MAX_FOLDER_BYTES = 5_000_000
_USAGE = re.compile(r"`(python3? [\w./-]+\.py[^`\n]*)`\s*((?:still |then |also )?\w+)")
_PLACEHOLDER = re.compile(r"\b[A-Z][A-Z_]*\b|<[^>]+>")
_QUOTED = re.compile(r"`([^`]+)`")
_SAMPLE = r"name,value\na,1\nb,2\n"
_PRINTS = ("print", "show", "list", "output", "display")


def trial_command(task: str, root: Path) -> str:
    """A shell command that fails where a usage line crashes or does not print what the task says; "" without such lines."""
    text = re.sub(r"\s+", " ", task)
    found = list(_USAGE.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    if not any(_PLACEHOLDER.search(match[1]) for match in found) or _size(root) > MAX_FOLDER_BYTES:
        return ""
    steps, given = [], set[str]()
    for match, end in zip(found, ends, strict=True):
        line, prints = _filled(match[1]), match[2].split()[-1].startswith(_PRINTS)
        steps.append(_step(line, _expected(text[match.end() : end], given) if prints else None))
        given |= set(_PLACEHOLDER.findall(match[1]))
    copy = f'd=$(mktemp -d); cp -r . "$d"; cd "$d"; printf {shlex.quote(_SAMPLE)} > sample.csv'
    return "; ".join([copy, *steps, 'rm -rf "$d"'])


def _expected(description: str, given: set[str]) -> str:
    """What must be in the output: the quoted piece whose placeholder an earlier line was given, "" for anything at all."""
    for piece in _QUOTED.findall(description):
        names = set(_PLACEHOLDER.findall(piece))
        if names and names <= given:
            return _filled(piece)
    return ""


def _filled(line: str) -> str:
    return _PLACEHOLDER.sub(lambda match: _value(match[0]), line)


def _value(placeholder: str) -> str:
    name = placeholder.strip("<>").upper()
    if any(word in name for word in ("FILE", "PATH", "INPUT")):
        return "sample.csv"
    if any(word in name for word in ("NUMBER", "COUNT", "INDEX", "ID", "SIZE")) or name == "N":
        return "1"
    return "value"


def _step(line: str, expected: str | None) -> str:
    """`expected` None: only a crash is wrong."""
    cases = ['*Traceback*) echo "$o"; exit 1;;']
    if expected is not None:
        pattern, what = (f"*{shlex.quote(expected)}*", shlex.quote(expected)) if expected else ("?*", "something")
        wrong = shlex.quote(f"{line} must print {what}, but it prints: ")
        cases.append(f'{pattern}) ;; *) echo {wrong}"$o"; exit 1;;')
    return f'o=$({line} 2>&1); case "$o" in {" ".join(cases)} esac'


def _size(root: Path) -> int:
    total = 0
    for path in root.rglob("*"):
        total += path.lstat().st_size
        if total > MAX_FOLDER_BYTES:
            break
    return total
