"""The OpenAI-compatible chat codec: requests out, events in, errors by kind. Any transport may reuse it."""

from agentic.wire.answer import AnswerBuilder, ChunkDecoder, usage_of
from agentic.wire.errors import error_from_body
from agentic.wire.request import encode_request, sampling_fields
from agentic.wire.sse import SseParser

__all__ = ["AnswerBuilder", "ChunkDecoder", "SseParser", "encode_request", "error_from_body", "sampling_fields", "usage_of"]
