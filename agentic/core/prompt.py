"""Prompt assembly: a system text that never changes in a session, then the task with what is small enough to come along."""

import os
import re
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentic.core.outcome.evidence import CODE
from agentic.core.outcome.suspects import is_named_after
from agentic.core.protocols import ToolProtocol
from agentic.errors import AgenticError
from agentic.types import Message, ToolSpec
from agentic.workspace import Workspace

# Measured with Qwen2.5-Coder-1.5B: the last sentence is worth two tasks of ten and the calculator.
_NANO = (
    "You are a coding agent working in a folder on the user's computer. Do what the task asks, and nothing else."
    " Good code is made of small functions that take arguments, return a result and raise an exception for wrong input."
)
_SMALL = """
Look at the files that matter before you change them. Keep changes small and in the style of the code around them. After a change \
run the tests or the program, and read what they say. Focus on the current step; what was done before is in the conversation. When \
a tool fails, read why and try something else. Say what you did in a few lines when you are done."""
_FULL = """
- Find your way with search and list_files; read the lines you need, not whole large files.
- For a bug, reproduce it first, find its cause, and mend the cause. Where there are tests, leave one that would have caught it.
- Use the project's own conventions, helpers and libraries. Add no dependency and no file that the task does not need.
- Never change a test only to make it pass, and never hide an error. Do not touch what the task does not name: no reformatting, no \
renaming, no commits.
- Commands have no input and no terminal; long output is cut, so ask for what you need. An output that was left out of the \
conversation comes back with recall.
- Values that other agents need (interfaces, decisions) go to share; what they shared stands under "Shared context".
- If something cannot be done, say what you tried and what is missing."""
_TEXTS = {"nano": _NANO, "small": _NANO + _SMALL, "full": _NANO + _SMALL + _FULL}
_SKIPPED = {"__pycache__", "node_modules", "venv"}
_TEST = re.compile(r"(^|/)(tests?/|test_|conftest)|_test\.")
MAX_NAMES = 60
MAX_FILE_BYTES = 8_000
_MAX_LISTED = 5_000


def system_message(protocol: ToolProtocol, tools: Sequence[ToolSpec], tier: str, instructions: str) -> Message:
    """Byte-stable for a version, a tier, a protocol and its tools: the server's prefix cache rests on it."""
    parts = [_TEXTS[tier], protocol.instructions(tools), instructions]
    return Message("system", "\n\n".join(filter(None, parts)))


def tiered(tool: ToolSpec, tier: str) -> ToolSpec:
    """The tool as this tier describes it: bare, with its parameters' meaning, or with all guidance."""
    if tier == "nano":
        return replace(tool, parameters=_bare(tool.parameters, tool.refinements))
    return replace(tool, description=f"{tool.description} {tool.guidance}".strip()) if tier == "full" else tool


def _bare(schema: Mapping[str, Any], without: Sequence[str]) -> dict[str, Any]:
    """Without what the parameters mean; unknown ones are refused all the same."""
    parts = schema.get("properties", {})
    properties = {name: _without_description(part) for name, part in parts.items() if name not in without}
    kept = {name: value for name, value in schema.items() if name != "additionalProperties"}
    return {**kept, "properties": properties} if properties else kept


def _without_description(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "description"}


def task_message(
    task: str, around: str, workspace: Workspace, room_bytes: int, reminder: str, covered: Collection[str] = ()
) -> Message:
    """The task, after what is volatile and the folder's file names; a small folder's files come along while they fit."""
    names = list(file_names(workspace.root))
    small = len(names) <= MAX_NAMES and sum(map(len, names)) <= room_bytes // 3
    parts = [around] if around else []
    if names:
        parts.append("Files in the folder:\n" + ("\n".join(names) if small else _folded(names, room_bytes // 3)))
    shown = [name for name in names if (small or name in task) and os.path.basename(name) not in covered]
    parts += _contents(workspace, shown, room_bytes)
    parts.append(f"Task: {task}" if parts else task)
    if reminder:
        parts.append(reminder)
    return Message("user", "\n\n".join(parts))


def surroundings(root: Path) -> str:
    """What changes from day to day; only ever in the newest message."""
    branch = _branch(root)
    return f"Date: {time.strftime('%Y-%m-%d')}. Folder: {root.name}" + (f" (git branch {branch})." if branch else ".")


def _branch(root: Path) -> str:
    """Read, not asked for: git would run what a repository configures."""
    for folder in (root, *root.parents):
        try:
            head = (folder / ".git" / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue
        return head.removeprefix("ref: refs/heads/")[:60] if head.startswith("ref:") else head[:12]
    return ""


def _folded(names: Sequence[str], room: int) -> str:
    """What is at the top: files, and folders with how many files are below."""
    below = Counter(name.partition("/")[0] for name in names if "/" in name)
    lines = [
        *(name for name in names if "/" not in name),
        *(f"{folder}/ ({count} files)" for folder, count in sorted(below.items())),
    ]
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    more = f"\n(and {len(lines) - len(kept)} more)" if len(lines) > len(kept) else ""
    return "\n".join(kept) + more


def repair_message(task: str, workspace: Workspace, room_bytes: int, wrong: str, files: Sequence[str]) -> Message:
    """What has to be corrected, and nothing else: small models drown in more."""
    asked = f"Write the corrected {' and '.join(files)}." if files else "Write the corrected file."
    near = [name for name in source_files(workspace) if name not in files and any(is_named_after(path, name) for path in files)]
    parts = [*_contents(workspace, [*near, *files], room_bytes), f"Task: {task}", wrong, asked]
    return Message("user", "\n\n".join(parts))


def source_files(workspace: Workspace) -> dict[str, str]:
    """The small code files of the folder that are no tests, with their content."""
    names = (name for name in file_names(workspace.root) if name.endswith(CODE) and not _TEST.search(name))
    return {name: text for name in names if (text := _small_text(workspace, name))}


def _contents(workspace: Workspace, names: Sequence[str], room_bytes: int) -> list[str]:
    parts = []
    for name in names:
        text = _small_text(workspace, name)
        if text and len(text) + len(name) <= room_bytes:
            room_bytes -= len(text) + len(name) + 16
            parts.append(f"{name}\n```\n{text.rstrip()}\n```")
    return parts


def file_names(root: Path) -> list[str]:
    """Relative names, the shallow ones first; hidden files and what tools leave behind are not shown."""
    found: list[str] = []
    folders = [root]
    while folders and len(found) < _MAX_LISTED:
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
