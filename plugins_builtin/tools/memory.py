"""The tools for the session's memory: outputs that were left out of the prompt, and values that its agents share."""

from collections.abc import Mapping
from typing import Any

from agentic import ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace


class Recall:
    spec = ToolSpec(
        "recall",
        "Shows a tool output that was left out.",
        {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "line_start": {"type": "integer"},
                "line_end": {"type": "integer"},
            },
            "required": ["id"],
            "additionalProperties": False,
        },
        "read",
        refinements=("line_start", "line_end"),
        recalls="id",
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._memory = setup.memory

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        text = self._memory.recall(arguments["id"])
        if text is None:
            raise ToolError(f"there is no output {arguments['id']!r} in this session")
        lines = text.splitlines()
        start = max(1, arguments.get("line_start") or 1)
        end = min(len(lines), arguments.get("line_end") or len(lines))
        return ToolOutput("\n".join([*lines[start - 1 : end], f"(lines {start} to {end} of {len(lines)})"]))


class Share:
    spec = ToolSpec(
        "share",
        "Tells all agents a value.",
        {
            "type": "object",
            "properties": {"key": {"type": "string"}, "value": {"type": "string"}},
            "required": ["key", "value"],
            "additionalProperties": False,
        },
        "read",
        "For what others must agree with: an interface, a name, a decision.",
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._memory = setup.memory

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        self._memory.share(arguments["key"], arguments["value"], workspace.call.agent)
        return ToolOutput(f"Shared {arguments['key']}.")
