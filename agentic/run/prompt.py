"""Prompt assembly: a system text that never changes in a run, then the task with what is small enough to come along."""

import re
from collections.abc import Sequence
from pathlib import Path

from agentic.errors import AgenticError
from agentic.run.outcome.evidence import CODE
from agentic.run.protocols import ToolProtocol
from agentic.types import Message, ToolSpec
from agentic.workspace import Workspace

# Measured with Qwen2.5-Coder-1.5B: the last sentence is worth two tasks of ten and the calculator.
_SYSTEM = (
    "You are a coding agent working in a folder on the user's computer. Do what the task asks, and nothing else."
    " Good code is made of small functions that take arguments, return a result and raise an exception for wrong input."
)
_SKIPPED = {"__pycache__", "node_modules", "venv"}
_TEST = re.compile(r"(^|/)(tests?/|test_|conftest)|_test\.")
MAX_NAMES = 60
MAX_FILE_BYTES = 8_000


def system_message(protocol: ToolProtocol, tools: Sequence[ToolSpec]) -> Message:
    """Byte-stable for a protocol and its tools: the server's prefix cache rests on it."""
    return Message("system", f"{_SYSTEM}\n\n{protocol.instructions(tools)}")


def task_message(task: str, workspace: Workspace, room_bytes: int, reminder: str) -> Message:
    """The task, after the folder's file names and its small files while they fit into `room_bytes`."""
    names = list(_names(workspace.root))
    parts = []
    if names:
        more = f"\n(and {len(names) - MAX_NAMES} more)" if len(names) > MAX_NAMES else ""
        parts.append("Files in the folder:\n" + "\n".join(names[:MAX_NAMES]) + more)
    parts += _contents(workspace, names[:MAX_NAMES], room_bytes)
    parts.append(f"Task: {task}" if parts else task)
    if reminder:
        parts.append(reminder)
    return Message("user", "\n\n".join(parts))


def repair_message(task: str, workspace: Workspace, room_bytes: int, wrong: str, files: Sequence[str]) -> Message:
    """What has to be corrected, and nothing else: small models drown in more."""
    asked = f"Write the corrected {' and '.join(files)}." if files else "Write the corrected file."
    parts = [*_contents(workspace, files, room_bytes), f"Task: {task}", wrong, asked]
    return Message("user", "\n\n".join(parts))


def source_files(workspace: Workspace) -> list[str]:
    """The small code files of the folder that are no tests."""
    return [
        name for name in _names(workspace.root) if name.endswith(CODE) and not _TEST.search(name) and _small_text(workspace, name)
    ]


def _contents(workspace: Workspace, names: Sequence[str], room_bytes: int) -> list[str]:
    parts = []
    for name in names:
        text = _small_text(workspace, name)
        if text and len(text) + len(name) <= room_bytes:
            room_bytes -= len(text) + len(name) + 16
            parts.append(f"{name}\n```\n{text.rstrip()}\n```")
    return parts


def _names(root: Path) -> list[str]:
    """Relative names, the shallow ones first; hidden files and what tools leave behind are not shown."""
    found: list[str] = []
    folders = [root]
    while folders and len(found) < 10 * MAX_NAMES:
        folder = folders.pop(0)
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _SKIPPED:
                continue
            if entry.is_dir() and not entry.is_symlink():
                folders.append(entry)
            else:
                found.append(str(entry.relative_to(root)))
    return found


def _small_text(workspace: Workspace, name: str) -> str:
    try:
        if (workspace.root / name).stat().st_size > MAX_FILE_BYTES:
            return ""
        return workspace.read(name).data.decode("utf-8")
    except (AgenticError, OSError, UnicodeDecodeError):
        return ""
