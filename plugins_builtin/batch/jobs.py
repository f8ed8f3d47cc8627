"""Many prompts in a file: reading one line of it, and the file of results that survives a kill."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any

from agentic.errors import AgenticError, ConfigError
from agentic.lib.record import record
from agentic.lib.wire import loads
from agentic.types import ChatRequest, Message, Role

_ROLES: dict[object, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""(as it stands there: as it is sent); templates of most models know no developer."""
_PASSED_ON = {
    "top_p", "top_k", "min_p", "seed", "stop", "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias",
    "min_tokens", "ignore_eos", "structured_outputs", "chat_template_kwargs",
}  # fmt: skip
_OWN = {"prompt", "messages", "system", "id", "model", "max_tokens", "temperature", "response_format", "reasoning_effort"}
CUSTOM_ID = "custom_id"
"""By which `vllm run-batch` and OpenAI's batches know a line; `_AROUND` stands around its request there."""
_AROUND = {CUSTOM_ID, "method", "url", "body"}
_ROUTE = "/v1/chat/completions"
_ROUTES = re.compile(r"(?:https?://[^/?#\s]+)?/(?:v1/)?chat/completions/?")
"""As it is written: whoever does the batch knows where."""
_SAME = {"max_completion_tokens": "max_tokens"}


@record(frozen=True, slots=True)
class BatchLine:
    """A line's request, and its `id` or `custom_id` if it has one, as a result repeats it."""

    request: ChatRequest
    label: Mapping[str, object]


def read_job(raw: bytes) -> BatchLine:
    """Raises AgenticError that says what is wrong with the line. So are unknown fields: vLLM would not say a word about them."""
    try:
        line = loads(raw)
    except ValueError as error:
        raise AgenticError(f"not JSON: {error}") from error
    if not isinstance(line, dict):
        raise AgenticError('not an object: {"prompt": ...} or {"messages": [...]} is expected')
    label = _label(line)
    line = _unwrapped(line) if "body" in line else line
    if unknown := sorted(set(line) - _OWN - _PASSED_ON):
        raise AgenticError(f"unknown field {unknown[0]!r}; the fields are {', '.join(sorted(_OWN | _PASSED_ON))}")
    request = ChatRequest(
        tuple(_messages(line)),
        model=_of(line, "model", str) or "",
        max_tokens=_of(line, "max_tokens", int),
        temperature=_of(line, "temperature", (int, float)),
        response_format=_of(line, "response_format", dict),
        effort=_of(line, "reasoning_effort", str) or "",
        purpose="batch",
        extra={name: line[name] for name in sorted(_PASSED_ON & set(line))},
    )
    return BatchLine(request, label)


def label_of(raw: bytes) -> dict[str, object]:
    """Returns the id that a result repeats from a line, though the line may be no job."""
    try:
        line = loads(raw)
    except ValueError:
        return {}
    return _label(line) if isinstance(line, dict) else {}


def _label(line: Mapping[str, Any]) -> dict[str, object]:
    name = CUSTOM_ID if "body" in line else "id"
    return {name: line[name]} if name in line else {}


class Labels:
    """The ids of a file's lines; `twice` are those that stand in more than one, each with its first two lines."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        self.twice: dict[str, tuple[int, int]] = {}

    def add(self, raw: bytes, line: int) -> None:
        for value in label_of(raw).values():
            name = json.dumps(value)
            first = self._lines.setdefault(name, line)
            if first != line:
                self.twice.setdefault(name, (first, line))

    def warning(self) -> str:
        """For people, "" where each id is there once."""
        if not self.twice:
            return ""
        name, (first, second) = next(iter(self.twice.items()))
        more = f", and {len(self.twice) - 1} more ids so" if len(self.twice) > 1 else ""
        return f"the id {name} stands in the lines {first} and {second}{more}: their answers can be told apart by their order only"


def _unwrapped(line: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(line) - _AROUND):
        raise AgenticError(f"unknown field {unknown[0]!r} beside `body`; the fields are {', '.join(sorted(_AROUND))}")
    if not isinstance(line.get(CUSTOM_ID), str):
        raise AgenticError("`custom_id` is no text")
    if str(line.get("method", "POST")).upper() != "POST" or not _ROUTES.fullmatch(str(line.get("url", _ROUTE))):
        raise AgenticError(f"{line.get('method', 'POST')} {line.get('url', _ROUTE)} is not done here, only POST {_ROUTE}")
    body = _of(line, "body", dict)
    if body is None or body.get("stream") or body.get("n", 1) != 1:
        raise AgenticError("`body` has to be a request for one answer that is not streamed")
    return {_SAME.get(name, name): value for name, value in body.items() if name not in ("stream", "n")}


def _messages(line: Mapping[str, Any]) -> Iterable[Message]:
    if ("prompt" in line) == ("messages" in line):
        raise AgenticError("one of `prompt` and `messages` is expected")
    if (system := _of(line, "system", str)) is not None:
        yield Message("system", system)
    if (prompt := _of(line, "prompt", str)) is not None:
        yield Message("user", prompt)
        return
    messages = _of(line, "messages", list)
    if not messages:
        raise AgenticError("`messages` is empty")
    for message in messages:
        role, content = (message.get("role"), _text(message.get("content"))) if isinstance(message, dict) else (None, None)
        if content is None or not isinstance(role, str) or role not in _ROLES:
            raise AgenticError('a message is {"role": "system", "user" or "assistant", "content": TEXT or parts of text}')
        yield Message(_ROLES[role], content)


def _text(content: object) -> str | None:
    """A message's text, its parts joined as vLLM joins them; None for content of any other kind."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content if isinstance(content, list) else [None]:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            return None
        texts.append(part["text"])
    return "\n".join(texts)


def _of(line: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    value = line.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        names = kind.__name__ if isinstance(kind, type) else "number"
        raise AgenticError(f"`{name}` is no {names}")
    return value


@record(frozen=True, slots=True)
class Shard:
    """Every `of`-th line of an input, from line `part` on: what one of several processes, or machines, does of it."""

    part: int = 1
    of: int = 1

    def line(self, number: int) -> int:
        """The line in the input of its own `number`-th one; both count from 1."""
        return self.part + (number - 1) * self.of

    def number(self, line: int) -> int:
        """The reverse of `line`; 0 for a line that is not of this shard."""
        number, rest = divmod(line - self.part, self.of)
        return number + 1 if rest == 0 and number >= 0 else 0


class ShardLines:
    """The lines of a shard, read as a file is. Empty lines are none; `place` is the last one's line in the file, from 1."""

    def __init__(self, file: IO[bytes], shard: Shard) -> None:
        self._file, self._shard = file, shard
        self._line = self.place = 0

    def readline(self) -> bytes:
        """The shard's next line, b"" behind the last one."""
        while raw := self._file.readline():
            self.place += 1
            if not raw.strip():
                continue
            self._line += 1
            if self._shard.number(self._line):
                return raw
        return b""

    def is_over(self) -> bool:
        """True if there is none left, without reading it."""
        before = self._file.tell(), self._line, self.place
        over = not self.readline()
        start, self._line, self.place = before
        self._file.seek(start)
        return over


def check_readable(lines: ShardLines, name: str) -> BatchLine | None:
    """The first line that can be used; None where there are no lines. Raises ConfigError where there is none among them."""
    first = ""
    while raw := lines.readline():
        try:
            return read_job(raw)
        except AgenticError as error:
            first = first or str(error)
    if first:
        raise ConfigError(f"no line of {name} can be used; the first one: {first}", "see `agentic batch --help` for the formats")
    return None
