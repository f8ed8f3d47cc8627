"""Searching the files' text."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agentic import AgenticError, Setup, ToolOutput, ToolSpec, Workspace
from plugins_builtin.tools.files import walk
from plugins_builtin.tools.text import decode

MAX_LINE = 200


class Search:
    spec = ToolSpec(
        "search",
        "Finds the lines that match a regular expression.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "a regular expression"},
                "path": {"type": "string", "description": "a folder or file; the whole workspace without it"},
                "max_results": {"type": "integer"},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        guidance="The quickest way to find where something is defined or used. Narrow it with path before raising max_results.",
        refinements=("max_results",),
    )

    def __init__(self, setup: Setup | None = None) -> None:
        """Needs nothing."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        try:
            pattern = re.compile(arguments["query"])
        except re.error:
            pattern = re.compile(re.escape(arguments["query"]))
        limit = max(1, arguments.get("max_results") or 50)
        where = workspace.relative(arguments.get("path") or ".")
        names = [where] if (workspace.root / where).is_file() else walk(workspace, where)
        found = []
        for hit in (hit for name in names for hit in _hits(workspace, name, pattern)):
            found.append(hit)
            if len(found) == limit:
                found.append(f"(stopped at {limit} lines)")
                break
        return ToolOutput("\n".join(found) or "(nothing found)")


def _hits(workspace: Workspace, name: str, pattern: re.Pattern[str]) -> Iterator[str]:
    try:
        text = decode(workspace.current(name).data, name).text
    except AgenticError:  # binary, unreadable or a link that leads out
        return
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.search(line):
            yield f"{name}:{number}: {line.strip()[:MAX_LINE]}"
