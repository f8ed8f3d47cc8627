"""Reading, writing and listing files."""

import re
from collections.abc import Mapping
from typing import Any

from agentic import Change, Setup, ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace
from agentic.lib.files.text import decode, encode_new

LEAST_CHARACTERS = 24_000
CHARACTERS_A_TOKEN = 4
MAX_LISTED = 200


def _object(required: str, **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


class ReadFile:
    spec = ToolSpec(
        "read_file",
        "Reads a text file, or some of its lines.",
        _object(
            "path",
            path={"type": "string"},
            line_start={"type": "integer", "description": "first line, from 1"},
            line_end={"type": "integer", "description": "last line"},
        ),
        "read",
        "Ask for the lines that matter: a whole large file is cut to a part of the window.",
    )

    def __init__(self, setup: Setup | None = None) -> None:
        tokens = setup.result_tokens if isinstance(setup, ToolSetup) else 0
        self._most = max(LEAST_CHARACTERS, tokens * CHARACTERS_A_TOKEN)

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        path = arguments["path"]
        lines = decode(workspace.read(path).data, path).text.splitlines(keepends=True)
        start = max(1, arguments.get("line_start") or 1)
        end = min(len(lines), arguments.get("line_end") or len(lines))
        text = "".join(lines[start - 1 : end])
        if len(text) > self._most:
            text = text[: self._most]
            end = start + text.count("\n")
        if (start, end) == (1, len(lines)):
            return ToolOutput(text or "(the file is empty)")
        return ToolOutput(f"{text.rstrip()}\n(lines {start} to {end} of {len(lines)})")


class WriteFile:
    spec = ToolSpec(
        "write_file",
        "Creates or replaces a whole file.",
        _object("path content", path={"type": "string"}, content={"type": "string"}),
        "write",
        "For new files, or where most of a file changes. Give the whole content, nothing left out.",
        writes=("path", "content"),
        staged=True,
    )

    def __init__(self, setup: Setup | None = None) -> None:
        """Needs nothing."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        path, content = arguments["path"], _without_fences(arguments["path"], arguments["content"])
        there = workspace.exists(path)
        if there:
            before = decode(workspace.current(path).data, path)
            if _elided(content) and not _elided(before.text):
                raise ToolError(f"{path} was not written: the content leaves something out. Write the whole file.")
            data = before.encode(content.replace("\r\n", "\n").replace("\n", before.newline))
        else:
            data = encode_new(content, path)
        if not workspace.write(path, data):
            unchanged = (Change(path, "unchanged"),)
            return ToolOutput(f"{path} already had exactly this content, so nothing changed.", failed=True, changes=unchanged)
        changes = (Change(path, "updated" if there else "created"),)
        return ToolOutput(f"Wrote {path} ({len(content.splitlines())} lines).", changes=changes)


def _without_fences(path: str, content: str) -> str:
    """Small models wrap a whole file in a Markdown fence."""
    match = re.fullmatch(r"\s*(```+|~~~+)[^\n`]*\n(.*?)\n?\1\s*", content, re.DOTALL)
    return match[2] + "\n" if match and not path.endswith((".md", ".markdown")) else content


def _elided(content: str) -> bool:
    """True if a comment says that something is left out, as in "# ... rest of the code"."""
    mark = r"^\s*(#|//|<!--|/\*)\s*(\.\.\.|.{0,20}\b(rest of|existing) (the )?(file|code)\b)"
    return bool(re.search(mark, content, re.MULTILINE | re.IGNORECASE))


class ListFiles:
    spec = ToolSpec(
        "list_files",
        "Lists the files below a folder.",
        _object("", path={"type": "string", "description": "the folder; the whole workspace without it"}),
        "read",
    )

    def __init__(self, setup: Setup | None = None) -> None:
        """Needs nothing."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        names = []
        for name in workspace.files(arguments.get("path") or "."):
            names.append(name)
            if len(names) > MAX_LISTED:
                return ToolOutput("\n".join(names[:-1]) + f"\n(more than {MAX_LISTED} files: list a smaller folder)")
        return ToolOutput("\n".join(names) or "(no files)")
