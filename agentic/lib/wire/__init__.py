"""The OpenAI-compatible chat codec: requests out, events in, errors by kind. Any transport may reuse it."""

from agentic.lib.wire.answer import AnswerBuilder, Carried, ChunkDecoder, usage_of
from agentic.lib.wire.errors import error_from_body, error_from_text
from agentic.lib.wire.json_text import leading_object, lenient_object, loads, refuse_constant
from agentic.lib.wire.request import encode_request, sampling_fields
from agentic.lib.wire.sse import SseParser

__all__ = [
    "AnswerBuilder",
    "Carried",
    "ChunkDecoder",
    "SseParser",
    "encode_request",
    "error_from_body",
    "error_from_text",
    "leading_object",
    "lenient_object",
    "loads",
    "refuse_constant",
    "sampling_fields",
    "usage_of",
]
