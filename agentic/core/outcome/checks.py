"""What command runs a folder's own tests."""

import json
from pathlib import Path

_BY_FILE = {"Cargo.toml": "cargo test", "go.mod": "go test ./..."}
_READ = 20_000


def check_command(root: Path) -> str:
    """The command, "" where the folder has no tests that we know how to run."""
    tests = sorted([*root.glob("test*.py"), *root.glob("*_test.py"), *root.glob("tests/**/test*.py")])
    if tests:
        if any(_needs_pytest(path) for path in tests):
            return "python3 -m pytest -q"
        return "python3 -m unittest" if any(path.parent == root for path in tests) else "python3 -m unittest discover -s tests -t ."
    for name, command in _BY_FILE.items():
        if (root / name).is_file():
            return command
    return "npm test" if _has_npm_test(root / "package.json") else ""


def _needs_pytest(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:_READ]
    except OSError:
        return False
    return "import pytest" in text or ("\ndef test_" in f"\n{text}" and "unittest" not in text)


def _has_npm_test(path: Path) -> bool:
    try:
        scripts = json.loads(path.read_text(encoding="utf-8")).get("scripts", {})
    except (OSError, ValueError, AttributeError):
        return False
    return isinstance(scripts, dict) and "no test specified" not in str(scripts.get("test", "no test specified"))
