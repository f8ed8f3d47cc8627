"""True if a server holds tool calls to their schemas, where the schema and the question contradict each other."""

from typing import TYPE_CHECKING, Any

from agentic.lib.wire import AnswerBuilder, ChunkDecoder

if TYPE_CHECKING:
    from plugins_builtin.vllm.transport import VllmTransport

PINNED = 4721
SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "integer", "enum": [PINNED]}},
    "required": ["number"],
    "additionalProperties": False,
}
SECONDS = 60.0
MAX_TOKENS = 256


def canary(model: str) -> dict[str, Any]:
    """The body of a request whose answer tells."""
    function = {"name": "report", "description": "Reports a number.", "parameters": SCHEMA, "strict": True}
    return {
        "model": model,
        "messages": [{"role": "user", "content": "Call the tool report with number 1."}],
        "tools": [{"type": "function", "function": function}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "max_tokens": MAX_TOKENS,
    }


async def holds_calls(transport: "VllmTransport", endpoint: str) -> bool | None:
    """None where the model made no call that could tell. Raises AgenticError where the server does not take it."""
    info = await transport.probe(endpoint)
    made = AnswerBuilder()
    async for delta in transport.deltas(endpoint, "/chat/completions", canary(info.model), SECONDS, ChunkDecoder()):
        made.add(delta)
    calls = made.message().tool_calls
    return any(call.name == "report" and str(PINNED) in call.arguments for call in calls) if calls else None
