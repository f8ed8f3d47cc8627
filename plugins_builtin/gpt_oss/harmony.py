"""Native tool calls, as gpt-oss was trained to make them."""

from collections.abc import Sequence
from dataclasses import replace

from agentic import (
    Asks,
    ChatRequest,
    EndpointInfo,
    Message,
    ModelProfile,
    Setup,
    ToolCall,
    ToolOutput,
    ToolProtocol,
    ToolSpec,
    Turn,
)


class Harmony:
    """The native protocol with gpt-oss's profile: ten changed retries, long answers."""

    profile = ModelProfile(unreadable=10, long_answers=True)

    def __init__(self, setup: Setup) -> None:
        self._native: ToolProtocol = setup.provider("native")

    async def fits(self, model: Asks, info: EndpointInfo) -> bool:
        return "gpt-oss" in info.model.lower() and await self._native.fits(model, info)

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        return self._native.instructions(tools)

    def begin(self, task: str, files: Sequence[str]) -> str:
        return self._native.begin(task, files)

    def request(self, request: ChatRequest, tools: Sequence[ToolSpec]) -> ChatRequest:
        return self._native.request(request, tools)

    def read(self, answer: Message, tools: Sequence[ToolSpec], cut_off: bool) -> Turn:
        turn = self._native.read(answer, tools, cut_off)
        if not turn.message.tool_calls:
            return turn
        return replace(turn, message=replace(turn.message, tool_calls=answer.tool_calls))  # its format takes arguments of any kind

    def results(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> list[Message]:
        return self._native.results(done)
