"""Tools that arrive late, from a server for example: two tools in the prompt find and call any number of them."""

import json
from collections.abc import Mapping
from typing import Any

from agentic import ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace


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

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        found = await self._find(arguments["query"])
        lines = [f"{spec.name}: {spec.description} arguments: {json.dumps(spec.parameters)}" for spec in found]
        return ToolOutput("\n".join(lines) or "(no such tool; other words may find one)")


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
