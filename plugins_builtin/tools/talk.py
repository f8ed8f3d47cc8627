"""The tools with which the model tells and asks the user things while it works."""

from collections.abc import Mapping
from typing import Any

from agentic import ToolOutput, ToolSetup, ToolSpec, Workspace
from agentic.events import TodoChanged

STATES = ("open", "doing", "done")


class Todo:
    spec = ToolSpec(
        "todo",
        "Keeps the list of steps that the user sees.",
        {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"text": {"type": "string"}, "state": {"enum": list(STATES)}},
                        "required": ["text", "state"],
                        "additionalProperties": False,
                    },
                }
            },
            "required": ["items"],
            "additionalProperties": False,
        },
        "read",
        "For work of three steps or more: give the whole list each time something changes, with one step that is being done.",
        roomy=True,
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._emit = setup.emit

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        items = tuple((str(item["text"]), str(item["state"])) for item in arguments["items"])
        await self._emit(TodoChanged(items=items, agent=workspace.call.agent))
        left = sum(state != "done" for _, state in items)
        return ToolOutput(f"{left} of {len(items)} left." if left else "All is done.")


class AskUser:
    spec = ToolSpec(
        "ask_user",
        "Asks the user what only the user can decide.",
        {
            "type": "object",
            "properties": {
                "question": {"type": "string"},
                "choices": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["question"],
            "additionalProperties": False,
        },
        "read",
        "Only where a wrong guess would cost much; what can be found out is not asked.",
        refinements=("choices",),
        roomy=True,
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._ask = setup.ask

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        said = await self._ask(arguments["question"], [str(choice) for choice in arguments.get("choices") or ()])
        return ToolOutput(f"The user says: {said}")
