"""Native tool calls: the server parses them out of the model's own format."""

import json
from collections.abc import Sequence
from dataclasses import replace

from agentic import Asks, ChatRequest, EndpointInfo, Message, ModelProfile, Setup, ToolCall, ToolOutput, ToolSpec, Turn
from agentic.lib.wire import lenient_object, loads
from plugins_builtin.protocols.names import clean_name

_WORD = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
_REPORT = ToolSpec("report", "Reports a word.", _WORD)


class Native:
    profile = ModelProfile()

    def __init__(self, setup: Setup) -> None:
        self._instructions = setup.prompt("tools.native")

    async def fits(self, model: Asks, info: EndpointInfo) -> bool:
        request = ChatRequest((Message("user", "Call the tool report with the word ready."),), (_REPORT,), max_tokens=200)
        answer = await model.ask(request)
        calls = answer.message.tool_calls[:1] if answer is not None else ()  # a call in the text would need a question each time
        return [clean_name(call.name) for call in calls] == ["report"]

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        return self._instructions

    def begin(self, task: str, files: Sequence[str]) -> str:
        return ""

    def request(self, request: ChatRequest, tools: Sequence[ToolSpec]) -> ChatRequest:
        return replace(request, tools=tuple(tools))

    def read(self, answer: Message, tools: Sequence[ToolSpec], cut_off: bool) -> Turn:
        if cut_off and answer.tool_calls:
            kept = replace(answer, tool_calls=())
            return Turn(kept, problem="Your answer was cut off in the middle of a tool call. Use smaller calls.")
        kept = replace(answer, tool_calls=tuple(replace(call, arguments=_valid(call.arguments)) for call in answer.tool_calls))
        return Turn(kept, answer.tool_calls, answer.text)

    def results(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> list[Message]:
        return [Message("tool", output.for_model, tool_call_id=call.id) for call, output in done]


def _valid(arguments: str) -> str:
    """Returns arguments for the history: the same bytes if they are a JSON object; anything else fails every later request."""
    try:
        value = loads(arguments or "{}")
    except ValueError:
        value = lenient_object(arguments) or {"invalid": arguments[:200].encode("utf-8", "replace").decode()}
        return json.dumps(value, ensure_ascii=False)
    return arguments if isinstance(value, dict) and arguments else "{}"
