"""Tools and arguments as other agents call them, so that their hooks understand a call, and the way back."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentic import ToolSpec

_SHARED = {"read_file": "Read", "list_files": "Glob", "search": "Grep", "delegate": "Task", "todo": "TodoWrite"}
_ARGUMENTS = {"path": "file_path", "old": "old_string", "new": "new_string"}


def names_of(tool: ToolSpec) -> Sequence[str]:
    """The shared name first, then ours."""
    if "/" in tool.name:
        return ("mcp__" + tool.name.replace("/", "__"), tool.name)
    shared = "Bash" if tool.runs else "Write" if tool.writes else "Edit" if tool.effect == "write" else _SHARED.get(tool.name)
    return (shared, tool.name) if shared else (tool.name,)


def shared_arguments(tool: ToolSpec, arguments: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Ours, and beside them the names that others have for them."""
    found = dict(arguments)
    for ours, theirs in _names(tool).items():
        if ours in arguments:
            value = arguments[ours]
            found[theirs] = os.path.join(root, value) if ours == "path" and isinstance(value, str) else value
    return found


def own_arguments(tool: ToolSpec, arguments: Mapping[str, Any], updated: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The call's arguments with what a hook changed of them, under whichever name."""
    before, known = shared_arguments(tool, arguments, root), set(tool.parameters.get("properties", ()))
    changed = {name: value for name, value in updated.items() if before.get(name) != value}
    back = {theirs: ours for ours, theirs in _names(tool).items()}
    found = {back.get(name, name): value for name, value in changed.items()}
    return {**arguments, **{name: value for name, value in found.items() if name in known}}


def _names(tool: ToolSpec) -> Mapping[str, str]:
    named = {tool.runs: "command"} if tool.runs else {}
    if tool.writes:
        named |= {tool.writes[0]: "file_path", tool.writes[1]: "content"}
    return {**_ARGUMENTS, **named}
