"""True if a data file is still data of its kind: models overwrite them with code, and with prose."""

import csv
import json
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import PurePath

from agentic import Change, Check, CheckResult, Failure, Setup, ToolOutput, Workspace
from plugins_builtin.checks.common import changed

MAX_BYTES = 1_000_000
MAX_FILES = 200


def _csv(text: str) -> None:
    rows = [row for row in csv.reader(text.splitlines(), strict=True) if row]
    if len({len(row) for row in rows}) > 1 or (rows and len(rows[0]) < 2):
        raise ValueError("its rows have different lengths")


_READERS: Mapping[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".xml": ElementTree.fromstring,
    ".csv": _csv,
}


class DataFiles:
    """Only files that could be read before count."""

    def __init__(self, setup: Setup) -> None:
        self._good: set[str] = set()

    def checks(self, task: str, workspace: Workspace, changes: Sequence[Change]) -> list[Check]:
        if not changes:
            found = islice((path for path in workspace.files() if path.endswith(tuple(_READERS))), MAX_FILES)
            self._good = {path for path in found if not _problem(workspace, path)}
        mine = set(changed(changes, *_READERS))
        return [Check("data files", "The data files", covers=False)] if mine else []

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        created = {change.path for change in changes if change.kind == "created"} - self._good
        paths = [
            path for path in changed(changes, *_READERS) if path in self._good or (path in created and not path.endswith(".csv"))
        ]
        problems = {path: problem for path in paths if (problem := _problem(workspace, path))}
        failures = tuple(
            Failure(path, f"{path} is no {path.rpartition('.')[2]} any more: {why}", files=(path,))
            for path, why in problems.items()
        )
        return CheckResult("fails" if failures else "passes", failures)

    def same(self, path: str, before: bytes, after: bytes) -> bool:
        """True if both hold the same data."""
        suffix = PurePath(path).suffix
        if suffix not in (".json", ".toml"):
            return False
        try:
            return _READERS[suffix](before.decode()) == _READERS[suffix](after.decode())
        except (ValueError, RecursionError):
            return False


def _problem(workspace: Workspace, path: str) -> str:
    """Why a file cannot be read as what its name says."""
    stamp = workspace.stamp(path)
    if stamp is None or stamp[1] > MAX_BYTES:
        return ""
    try:
        _READERS[PurePath(path).suffix](workspace.text(path, MAX_BYTES))
    except (OSError, ValueError, ElementTree.ParseError, csv.Error, RecursionError) as error:
        return str(error)[:200]
    return ""
