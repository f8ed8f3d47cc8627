"""True if a server holds tool calls to their schemas, where the schema and the question contradict each other."""

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agentic import AgenticError, RequestRejected
from agentic.lib.wire import AnswerBuilder, ChunkDecoder
from plugins_builtin.vllm.capabilities import Capabilities, keep_capabilities

if TYPE_CHECKING:
    from plugins_builtin.vllm.transport import VllmTransport

_log = logging.getLogger("agentic.vllm")
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


async def learn_strict(transport: "VllmTransport", endpoint: str, version: str) -> None:
    """Asks that version of the server, behind a run's first answer, whether it holds calls to their schemas, and keeps that."""
    try:
        held = bool(await holds_calls(transport, endpoint))
    except RequestRejected:
        held = False
    except AgenticError as error:
        _log.info("%s: whether it takes strict tools is not known: %s", endpoint, error)
        return
    with suppress(OSError):  # for the next run: a template may show the word, and the prompt of this one stays as it is
        keep_capabilities(endpoint, Capabilities(version, strict=held))
