"""The clients' requests to the fake server, and its answers: scripted pieces in the shapes of vLLM 0.32's wire."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from agentic.lib.record import record

Fault = Literal["", "reset", "close", "stall"]
UNKNOWN = -1
_UNKNOWN = b'"prompt_tokens": -1,', b'"completion_tokens": -1,'


@record(slots=True)
class Request:
    """A client's request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@record(slots=True)
class ScriptedAnswer:
    """A scripted HTTP answer. After `fault_after` pieces of the body comes the fault: reset, close or stall.

    `fault_after` -1 is before the status line. `pause` in seconds goes before each piece.
    """

    pieces: Sequence[bytes]
    status: int = 200
    content_type: str = "text/event-stream; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = ""
    fault_after: int = 0
    pause: float = 0.0
    chunked: bool = True


def chunk(delta: Mapping[str, Any], finish: str | None = None, **extra: Any) -> dict[str, Any]:
    """A `chat.completion.chunk` as vLLM sends it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "token_ids": None}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "fake",
        "choices": [choice],
        **extra,
    }


def event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def answer(
    text: str | Iterable[str] = "",
    reasoning: str = "",
    tool_calls: Sequence[Mapping[str, Any]] = (),
    finish: str = "",
    prompt_tokens: int = UNKNOWN,
    cached_tokens: int | None = None,
    completion_tokens: int = 0,
    **options: Any,
) -> ScriptedAnswer:
    """A streamed answer: `text` word by word (or the given pieces), then the finish, usage and [DONE].

    `tool_calls` are delta pieces as from `tool_call`. `prompt_tokens` are what `/tokenize` would count, unless they are given;
    `completion_tokens` the words, or all that was asked for where `finish` is "length".
    `options` are ScriptedAnswer's own fields.
    """
    words = _words(text) if isinstance(text, str) else list(text)
    pieces = [event(chunk({"role": "assistant", "content": ""}))]
    pieces += [event(chunk({"reasoning": word})) for word in _words(reasoning)]
    pieces += [event(chunk({"content": word})) for word in words]
    pieces += [event(chunk({"tool_calls": [call]})) for call in tool_calls]
    pieces.append(event(chunk({}, finish or ("tool_calls" if tool_calls else "stop"))))
    details = None if cached_tokens is None else {"cached_tokens": cached_tokens}
    count = completion_tokens or (UNKNOWN if finish == "length" else max(1, len(words)))
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": count, "total_tokens": prompt_tokens + count}
    last = chunk({}, usage=usage | {"prompt_tokens_details": details})
    pieces += [event(last | {"choices": []}), b"data: [DONE]\n\n"]
    return ScriptedAnswer(pieces, **options)


def count_tokens(request: Request) -> int:
    """A prompt's length as this server counts: message by message like a ChatML template, four bytes a token."""
    try:
        body = request.json
        tools = len(json.dumps(body["tools"])) // 4 if body.get("tools") else 0
        return tools + 3 + sum(4 + len(json.dumps(message)) // 4 for message in body["messages"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return 1


def warms(request: Request) -> bool:
    """A request for one token is there for the cache."""
    return b'"max_tokens":1,' in request.body or b'"max_tokens":1}' in request.body


def is_canary(request: Request) -> bool:
    """A question that a client asks by itself, once a version: whether calls are held to their schemas."""
    return b"Call the tool report with number 1." in request.body


def _words(text: str) -> list[str]:
    return text.replace(" ", " \0").split("\0") if text else []


def tool_call(name: str, arguments: Mapping[str, Any] | str, index: int = 0, call_id: str = "call_1") -> list[dict[str, Any]]:
    """The delta pieces of one call, as vLLM streams them: id and name first, then the arguments in parts."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    first = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    parts = [text[i : i + 8] for i in range(0, len(text), 8)]
    return [first, *({"index": index, "function": {"arguments": part}} for part in parts)]


def error(status: int, message: str, kind: str = "BadRequestError", param: str | None = None, **options: Any) -> ScriptedAnswer:
    """An error body as vLLM's exception handlers write it."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": status}}
    return ScriptedAnswer([json.dumps(body).encode()], status, "application/json", chunked=False, **options)


class Filled(Sequence[bytes]):
    """The pieces with what only the request tells, each one filled in as it is sent: a script may take its time."""

    def __init__(self, pieces: Sequence[bytes], known: tuple[bytes, bytes]) -> None:
        self._pieces = pieces
        self._known = known

    def __iter__(self) -> Iterator[bytes]:
        return map(self._fill, self._pieces)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __len__(self) -> int:
        return len(self._pieces)

    def _fill(self, piece: bytes) -> bytes:
        for unknown, value in zip(_UNKNOWN, self._known, strict=True):
            piece = piece.replace(unknown, value)
        return piece


def json_answer(value: Mapping[str, Any]) -> ScriptedAnswer:
    return ScriptedAnswer([json.dumps(value).encode()], content_type="application/json", chunked=False)


def read_request(file: Any) -> Request | None:
    """The next request on a connection; None where there is none any more."""
    start = file.readline().decode("latin-1").split()
    if len(start) != 3:
        return None
    headers = {}
    while (line := file.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Request(start[0], start[1], headers, file.read(int(headers.get("content-length", 0))))
