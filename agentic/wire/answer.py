"""Chunks of a streamed answer: each one to a Delta, all of them to a Message."""

import json
from collections.abc import Mapping
from typing import Any

from agentic.errors import ModelOutputError, StreamBroken
from agentic.types import Answer, Delta, Message, ToolCall, ToolCallDelta, Usage
from agentic.wire.errors import error_from_chunk
from agentic.wire.json_text import loads

MAX_CALLS = 64  # tool calls in one answer
MAX_CHARACTERS = 16_000_000  # of one answer, its thoughts and the arguments of its calls
_MAX_COUNT = 1 << 53
_BROKEN_ENDINGS = {"abort", "error"}


class ChunkDecoder:
    """Turns chunks (`chat.completion.chunk` objects) into deltas and knows whether the answer ended properly."""

    def __init__(self) -> None:
        self.finish_reason = ""

    def feed_json(self, data: bytes) -> Delta | None:
        """Like `feed`, from an event's bytes. Bytes that are not JSON or not UTF-8 break the stream."""
        try:
            chunk = loads(data)
        except ValueError as error:
            raise StreamBroken(f"the server sent an event that is no JSON: {data[:80]!r}") from error
        return self.feed(chunk)

    def feed(self, chunk: object) -> Delta | None:
        """The delta in a chunk, None for one that carries nothing. Raises the error that an error chunk names."""
        if not isinstance(chunk, dict):
            raise StreamBroken(f"the server sent a chunk that is no object: {str(chunk)[:80]}")
        if chunk.get("error"):
            raise error_from_chunk(chunk)
        usage = usage_of(chunk.get("usage"))
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = {}
        finish = choice.get("finish_reason") or ""
        if finish in _BROKEN_ENDINGS:
            raise StreamBroken(f"the server gave the answer up (finish_reason {finish!r})")
        self.finish_reason = finish or self.finish_reason
        text = _text(delta.get("content") or choice.get("text"))  # `text`: /v1/completions
        reasoning = _text(delta.get("reasoning") or delta.get("reasoning_content"))
        calls = _tool_calls(delta.get("tool_calls"))
        ids, prompt_ids = _ids(choice.get("token_ids")), _ids(chunk.get("prompt_token_ids") or choice.get("prompt_token_ids"))
        if text or reasoning or calls or finish or usage or ids or prompt_ids:
            return Delta(text, reasoning, calls, finish, usage, prompt_ids=prompt_ids, token_ids=ids)
        return None

    def end(self) -> None:
        """The bytes are over. Raises StreamBroken unless the answer was finished."""
        if not self.finish_reason:
            raise StreamBroken("the answer broke off: the stream ended without a finish_reason")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _ids(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(number) is int for number in value):
        return ()
    return tuple(value)


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < _MAX_COUNT else 0


def usage_of(value: object) -> Usage | None:
    """The tokens that a server counted, None for what is no usage."""
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    known = _count(cached) if isinstance(cached, int) else None
    return Usage(_count(value.get("prompt_tokens")), _count(value.get("completion_tokens")), known)


def _tool_calls(value: object) -> tuple[ToolCallDelta, ...]:
    if not isinstance(value, list):
        return ()
    pieces = [(position, piece) for position, piece in enumerate(value) if isinstance(piece, dict)]
    return tuple(_tool_call(position, piece) for position, piece in pieces)


def _tool_call(position: int, piece: Mapping[str, Any]) -> ToolCallDelta:
    index = piece.get("index")
    function = piece.get("function")
    if not isinstance(function, dict):
        function = {}
    arguments = function.get("arguments")
    if isinstance(arguments, dict):  # seen from servers that are not vLLM
        arguments = json.dumps(arguments)
    return ToolCallDelta(
        index if isinstance(index, int) and 0 <= index < _MAX_COUNT else position,
        _text(piece.get("id")),
        _text(function.get("name")),
        _text(arguments),
    )


class AnswerBuilder:
    """Folds deltas into the message in the making. `add` raises ModelOutputError for more than any answer has."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self.finish_reason = ""
        self.usage: Usage | None = None
        self._size = 0

    def add(self, delta: Delta) -> None:
        if delta.restart:
            self.__init__()  # type: ignore[misc]
        if delta.void_calls:
            self._calls.clear()
        if delta.text:
            self._text.append(delta.text)
        if delta.reasoning:
            self._reasoning.append(delta.reasoning)
        for piece in delta.tool_calls:
            self._add_call(piece)
        self.finish_reason = delta.finish_reason or self.finish_reason
        self.usage = delta.usage or self.usage
        self._size += len(delta.text) + len(delta.reasoning)
        if self._size > MAX_CHARACTERS:
            raise ModelOutputError(f"the answer has more than {MAX_CHARACTERS:,} characters")

    def _add_call(self, piece: ToolCallDelta) -> None:
        call = self._calls.setdefault(piece.index, ["", "", ""])
        call[0] = call[0] or piece.id
        if piece.name != call[1]:  # some servers repeat the whole name with every piece
            call[1] += piece.name
        call[2] += piece.arguments
        self._size += len(piece.arguments) + len(piece.name)
        if len(self._calls) > MAX_CALLS:
            raise ModelOutputError(f"the answer has more than {MAX_CALLS} tool calls")

    def message(self) -> Message:
        """The message so far; a call without an id gets one from its place."""
        calls = [ToolCall(c[0] or f"call_{index}", c[1], c[2]) for index, c in sorted(self._calls.items())]
        return Message("assistant", "".join(self._text), "".join(self._reasoning), tuple(calls))

    def answer(self) -> Answer:
        """The whole of it, once it is over."""
        return Answer(self.message(), self.finish_reason, self.usage)
