"""JSON actions: one object a turn, held to a schema by the server through `response_format`."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentic import Asks, ChatRequest, EndpointInfo, Message, ModelProfile, Setup, ToolCall, ToolOutput, ToolSpec, Turn
from agentic.lib.wire import lenient_object

_FINISH = "finish"


class JsonActions:
    profile = ModelProfile()

    def __init__(self, setup: Setup) -> None:
        self._instructions = setup.prompt("tools.json")

    async def fits(self, model: Asks, info: EndpointInfo) -> bool:
        """Returns True for every model: this protocol is left when nothing else works."""
        return True

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        lines = [f"- {tool.name}: {tool.description} arguments: {_signature(tool)}" for tool in tools]
        return "\n".join(
            [
                self._instructions,
                *lines,
                f'- {_FINISH}: the task is done and checked. arguments: {{"message": what you did}}',
            ]
        )

    def request(self, request: ChatRequest, tools: Sequence[ToolSpec]) -> ChatRequest:
        schema = {"anyOf": [*(_action(tool.name, dict(tool.parameters)) for tool in tools), _action(_FINISH, _FINISH_ARGUMENTS)]}
        named = {"name": "action", "schema": schema, "strict": True}
        return replace(request, response_format={"type": "json_schema", "json_schema": named})

    def begin(self, task: str, files: Sequence[str]) -> str:
        return ""

    def read(self, answer: Message, tools: Sequence[ToolSpec], cut_off: bool) -> Turn:
        action = lenient_object(answer.text) or {}
        name, arguments = action.get("tool"), action.get("arguments")
        if name is None or arguments is None:
            why = (
                "Your answer was cut off. Take a smaller step."
                if cut_off
                else "That was no JSON action. Answer with one JSON object."
            )
            return Turn(answer, problem=why)
        if name == _FINISH:
            text = arguments.get("message", "") if isinstance(arguments, dict) else ""
            return Turn(answer, text=str(text))
        return Turn(answer, (ToolCall("action", str(name), json.dumps(arguments)),))

    def results(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> list[Message]:
        return [Message("user", "\n\n".join(f"Result of {call.name}:\n{output.for_model}" for call, output in done))]


_FINISH_ARGUMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
    "additionalProperties": False,
}


def _action(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"tool": {"const": name}, "arguments": arguments},
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    }


def _signature(tool: ToolSpec) -> str:
    required = tool.parameters.get("required", ())
    names = [name if name in required else f"{name} (optional)" for name in tool.parameters.get("properties", {})]
    return ", ".join(names) or "none"
