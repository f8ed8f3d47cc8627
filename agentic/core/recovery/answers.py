"""What models write when they mean a tool call or an answer and miss the form: read as what was meant, where that is certain."""

from collections.abc import Sequence
from dataclasses import replace

from agentic.core.recovery.channels import without_channels
from agentic.core.recovery.known_tools import translated
from agentic.core.recovery.leaked_calls import leaked_calls
from agentic.types import Message, ToolSpec


def recovered(answer: Message, tools: Sequence[ToolSpec]) -> Message:
    """The answer with calls as calls, under this agent's names, and without a server's or a model's control words."""
    answer = without_channels(answer)
    calls, text = list(answer.tool_calls), answer.text
    if not calls and tools:
        calls, text = leaked_calls(answer.text, tools)
        if not calls and not text.strip():
            calls, _ = leaked_calls(answer.reasoning, tools)
        answer = without_channels(replace(answer, content=text))
    known = [each for call in calls for each in translated(call, tools)]
    return replace(answer, tool_calls=tuple(known))
