"""What a tool protocol is, and what it makes of an answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentic.types import ChatRequest, Message, ToolCall, ToolOutput, ToolSpec


@dataclass(frozen=True, slots=True)
class Turn:
    """What an answer asks for. No calls and no problem: it is the final word.

    `problem` goes back to the model where its answer could not be read. `message` is what history keeps.
    """

    message: Message
    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    problem: str = ""


class ToolProtocol(Protocol):
    name: str
    reminder: str
    """Said again after the task, "" where the system text is enough."""

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        """What the system text says about tools."""
        ...

    def request(self, request: ChatRequest, tools: Sequence[ToolSpec]) -> ChatRequest:
        """The request with whatever the server needs to know about tools."""
        ...

    def expect(self, path: str) -> None:
        """Code without a name is for this file; "" for no idea."""
        ...

    def read(self, answer: Message, tools: Sequence[ToolSpec], cut_off: bool) -> Turn:
        """What the answer asks for; `cut_off` when it ran into the token limit."""
        ...

    def results(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> list[Message]:
        """The messages that tell the model what its calls gave."""
        ...
