"""Chunks of a streamed answer: each one to a Delta, all of them to a Message."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from agentic.errors import ModelOutputError, RequestRejected, StreamBroken
from agentic.lib.wire.calls import CallNumbers
from agentic.lib.wire.errors import error_from_chunk, is_error
from agentic.lib.wire.json_text import loads
from agentic.types import Answer, Delta, Message, ToolCall, ToolCallDelta, Usage

MAX_CALLS = 64  # tool calls in one answer
MAX_CHARACTERS = 16_000_000  # of one answer, its thoughts and the arguments of its calls
_MAX_COUNT = 1 << 53
_MAX_ID = 1 << 31
_BROKEN_ENDINGS = {"abort", "error", "network_error", "failed", "cancelled", "server_error"}
_ENDINGS = {
    **dict.fromkeys(["model_length", "max_tokens", "MAX_TOKENS"], "length"),
    **dict.fromkeys(["end_turn", "eos", "eos_token"], "stop"),
}
_THOUGHTS = {"reasoning": "", "reasoning_content": "reasoning_content", "thinking": "thinking"}  # as a field is called, and kept


class Carried(NamedTuple):
    """The contents of a chunk, as in `Delta`; `ids` are the piece's own."""

    text: str
    reasoning: str
    calls: tuple[ToolCallDelta, ...]
    finish: str
    usage: Usage | None
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    thought_as: str


class ChunkDecoder:
    """Turns chunks (`chat.completion.chunk` objects) into deltas and knows whether the answer ended properly.

    A whole `chat.completion` is a chunk, too: its `message` stands for the `delta`.
    """

    def __init__(self) -> None:
        self.finish_reason = ""
        self._calls = CallNumbers()
        self._has_text = False

    def feed_json(self, data: bytes) -> Delta | None:
        """Like `feed`, from an event's bytes. Bytes that are not JSON or not UTF-8 break the stream."""
        try:
            chunk = _lenient(data)
        except ValueError as error:
            raise StreamBroken(f"the server sent an event that is no JSON: {data[:80]!r}") from error
        return self.feed(chunk)

    def feed(self, chunk: object) -> Delta | None:
        """The delta in a chunk, None for one that carries nothing. Raises the error that an error chunk names."""
        if not isinstance(chunk, dict):
            raise StreamBroken(f"the server sent a chunk that is no object: {str(chunk)[:80]}")
        if is_error(chunk):
            raise error_from_chunk(chunk)
        usage = usage_of(chunk.get("usage"))
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        if isinstance(choice.get("error"), dict):
            raise error_from_chunk({"error": choice["error"]})
        given = (choice.get(name) for name in ("delta", "message"))
        delta: dict[str, Any] = next((each for each in given if each and isinstance(each, dict)), {})
        if self._has_text and delta is choice.get("message"):  # the whole once more, behind its pieces
            delta = {}
        finish = _text(choice.get("finish_reason"))
        finish = _ENDINGS.get(finish, finish)
        if finish in _BROKEN_ENDINGS:
            raise StreamBroken(f"the server gave the answer up (finish_reason {finish!r})")
        self.finish_reason = finish or self.finish_reason
        text, thought = _parts(delta.get("content") or choice.get("text") or delta.get("refusal"))  # `text`: /v1/completions
        reasoning, name = _reasoning(delta)
        if thought and not reasoning:
            reasoning, name = thought, "content"
        calls = self._calls.deltas(delta.get("tool_calls") or _legacy_call(delta.get("function_call")))
        self._has_text = self._has_text or bool(text)
        if finish == "content_filter" and not self._has_text:
            raise RequestRejected("the server withheld the answer (finish_reason 'content_filter')", "ask in other words")
        ids, prompt_ids = _ids(choice.get("token_ids")), _ids(chunk.get("prompt_token_ids") or choice.get("prompt_token_ids"))
        if text or reasoning or calls or finish or usage or ids or prompt_ids:
            return self.delta_of(Carried(text, reasoning, calls, finish, usage, prompt_ids, ids, name))
        if far := _progress(chunk.get("prompt_progress")):
            return Delta(prefilled=far)
        return None

    def delta_of(self, carried: Carried) -> Delta:
        """The delta of what a chunk carries. A decoder that reads token ids makes another one of it."""
        text, reasoning, calls, finish, usage, prompt_ids, ids, thought_as = carried
        return Delta(text, reasoning, calls, finish, usage, False, False, prompt_ids, ids, None, thought_as)

    def end(self, done: bool = False) -> Delta | None:
        """The bytes are over; `done`: the server said [DONE]. Raises StreamBroken unless the answer was finished.

        Some servers say [DONE] without a finish_reason: then the delta has the one that fits what came.
        """
        if self.finish_reason:
            return None
        if done and self._calls and self._calls.all_whole():
            self.finish_reason = "tool_calls"
        elif done and self._has_text and not self._calls:
            self.finish_reason = "stop"
        else:
            raise StreamBroken("the answer broke off: the stream ended without a finish_reason")
        return Delta(finish_reason=self.finish_reason)


def _progress(value: object) -> tuple[int, int] | None:
    """How far the prompt is, as llama.cpp's server tells it where that was asked for."""
    if not isinstance(value, dict):
        return None
    done, total = value.get("processed"), value.get("total")
    return (done, total) if isinstance(done, int) and isinstance(total, int) and 0 <= done <= total else None


def _lenient(data: bytes) -> Any:
    """JSON, also with raw control characters in its texts. Raises ValueError."""
    try:
        return loads(data)
    except ValueError:
        try:
            return json.loads(data.decode(), strict=False)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _parts(content: object) -> tuple[str, str]:
    """(text, thoughts) of a content that is a text or a list of parts, as some servers and proxies send it."""
    if not isinstance(content, list):
        return _text(content), ""
    text, thoughts = [], []
    for part in content:
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, dict):
            inner = part.get("thinking")
            thoughts.append(_parts(inner)[0] if inner else "")
            text.append("" if inner else _text(part.get("text")))
    return "".join(text), "".join(thoughts)


def _reasoning(delta: Mapping[str, Any]) -> tuple[str, str]:
    """Returns a delta's reasoning, by each of the names that servers have for it; and that name, "" for the usual one."""
    for name in _THOUGHTS:
        if found := _parts(delta.get(name))[0]:
            return found, _THOUGHTS[name]
    details = delta.get("reasoning_details")  # OpenRouter
    known = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    text = "".join(_text(each.get("text")) or _text(each.get("summary")) for each in known)
    return text, "reasoning_details" if text else ""


def _legacy_call(function: object) -> list[dict[str, Any]]:
    """The one call of servers from before `tool_calls`."""
    return [{"index": 0, "function": function}] if isinstance(function, dict) and function else []


def _ids(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(number) is int and 0 <= number < _MAX_ID for number in value):
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


def _whole(arguments: str) -> str:
    """Without the empty object that some servers begin with."""
    return arguments.removeprefix("{}") if arguments.startswith("{}{") else arguments


class AnswerBuilder:
    """Folds deltas into the message in the making. `add` raises ModelOutputError for more than any answer has."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._thought_as = ""
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
            self._thought_as = delta.thought_as
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
        calls = [ToolCall(c[0] or f"call_{index}", c[1], _whole(c[2])) for index, c in sorted(self._calls.items())]
        text, thoughts = "".join(self._text), "".join(self._reasoning)
        return Message("assistant", text, thoughts, tuple(calls), thought_as=self._thought_as)

    def answer(self) -> Answer:
        """The whole of it, once it is over."""
        return Answer(self.message(), self.finish_reason, self.usage)
