"""Tools that arrive late, from a server for example: two tools in the prompt find and call any number of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentic import ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace

BYTES_A_TOKEN = 3
MAX_DESCRIPTION = 300  # characters


class FindTools:
    spec = ToolSpec(
        "find_tools",
        "Finds more tools, with their parameters.",
        {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "words of what you need"}},
            "required": ["query"],
            "additionalProperties": False,
        },
        "read",
        finds="query",
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._find = setup.late_tools
        self._room = setup.result_tokens * BYTES_A_TOKEN
        if setup.late_about:
            self.spec = replace(FindTools.spec, description=f"Finds more tools ({setup.late_about}), with their parameters.")

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        found = await self._find(arguments["query"])
        lines: list[str] = []
        room = self._room
        for number, spec in enumerate(found):
            line = f"{spec.name}: {_short(spec.description)} arguments: {json.dumps(_lean(spec.parameters))}"
            room -= len(line)
            if room < 0 and lines:
                others = ", ".join(other.name for other in found[number:])
                lines.append(f"(also: {others}; a name as the query shows its parameters)")
                break
            lines.append(line)
        return ToolOutput("\n".join(lines) or "(no such tool; other words may find one)")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_DESCRIPTION else f"{text[:MAX_DESCRIPTION]}…"


def _lean(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without what a model does not need to call the tool."""
    return {name: value for name, value in schema.items() if name not in ("$schema", "title", "additionalProperties")}


class CallTool:
    spec = ToolSpec(
        "call_tool",
        "Calls a tool that find_tools found.",
        {
            "type": "object",
            "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        },
        "read",
        calls=("name", "arguments"),
    )

    def __init__(self, setup: ToolSetup) -> None:
        """The host calls the other tool itself, under that one's approval."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        raise ToolError("name the tool to call")
