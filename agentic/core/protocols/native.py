"""Native tool calls: the server parses them out of the model's own format."""

from collections.abc import Sequence
from dataclasses import replace

from agentic.core.protocols.arguments import note, repaired
from agentic.core.protocols.protocol import Turn
from agentic.core.recovery.answers import recovered
from agentic.types import ChatRequest, Message, ToolCall, ToolOutput, ToolSpec


class Native:
    name = "native"
    reminder = ""

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        return "Use the tools to look at files, to change them and to run commands. When you are done, answer without a tool call."

    def request(self, request: ChatRequest, tools: Sequence[ToolSpec]) -> ChatRequest:
        return replace(request, tools=tuple(tools))

    def expect(self, path: str) -> None:
        """Calls name their files."""

    def read(self, answer: Message, tools: Sequence[ToolSpec], cut_off: bool) -> Turn:
        if cut_off and answer.tool_calls:
            kept = replace(answer, tool_calls=())
            return Turn(kept, problem="Your answer was cut off in the middle of a tool call. Use smaller calls.")
        meant = recovered(answer, tools)
        calls = tuple(replace(call, arguments=repaired(call.arguments)) for call in meant.tool_calls)
        return Turn(replace(meant, tool_calls=calls), calls, meant.text)  # invalid JSON in history fails every later turn

    def results(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> list[Message]:
        return [Message("tool", output.for_model, tool_call_id=call.id, notes=(note(call, output),)) for call, output in done]
