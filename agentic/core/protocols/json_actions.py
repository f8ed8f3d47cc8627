"""JSON actions: one object a turn, held to a schema by the server through `response_format`."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentic.core.protocols.arguments import note
from agentic.core.protocols.protocol import Turn
from agentic.core.recovery.json_text import lenient_object
from agentic.types import ChatRequest, Message, ToolCall, ToolOutput, ToolSpec

_FINISH = "finish"


class JsonActions:
    name = "json"
    reminder = ""

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        lines = [f"- {tool.name}: {tool.description} arguments: {_signature(tool)}" for tool in tools]
        return "\n".join(
            [
                'Answer with one JSON object a turn: {"tool": NAME, "arguments": {...}}. Its result comes back to you.',
                *lines,
                f'- {_FINISH}: the task is done and checked. arguments: {{"message": what you did}}',
            ]
        )

    def request(self, request: ChatRequest, tools: Sequence[ToolSpec]) -> ChatRequest:
        schema = {"anyOf": [*(_action(tool.name, dict(tool.parameters)) for tool in tools), _action(_FINISH, _FINISH_ARGUMENTS)]}
        named = {"name": "action", "schema": schema, "strict": True}
        return replace(request, response_format={"type": "json_schema", "json_schema": named})

    def expect(self, path: str) -> None:
        """Calls name their files."""

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
        notes = tuple(note(call, output) for call, output in done)
        return [Message("user", "\n\n".join(f"Result of {call.name}:\n{output.for_model}" for call, output in done), notes=notes)]


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
