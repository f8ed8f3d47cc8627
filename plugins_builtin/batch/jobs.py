"""Many prompts in a file: reading one line of it, and the file of results that survives a kill."""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
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


_BEGIN = b'{"line": '


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


class Results:
    """OUT.jsonl, in the order of the input, and beside it a journal of what was done out of order. One process at a time.

    `unlocked` is a warning where the file system has no locks. Memory and journal hold what is ahead of the first line that is
    not done yet; both are empty again when that one is. Of a `shard` only its lines are in it, numbered as in the whole input.
    """

    def __init__(self, path: Path, shard: Shard | None = None) -> None:
        self._path = path
        self._shard = shard or Shard()
        self._ahead: dict[int, bytes] = {}
        self.done = 0
        self.failed = 0
        self.unlocked = ""

    def __enter__(self) -> "Results":
        """Raises ConfigError where the files cannot be written, hold something else, or another process writes them."""
        _require_file(self._path)
        _require_file(self._path.with_name(self._path.name + ".journal"))
        try:
            self._file: IO[bytes] = self._path.open("a+b")
            self._journal: IO[bytes] = self._path.with_name(self._path.name + ".journal").open("a+b")
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._close()
            raise ConfigError(f"another process is writing {self._path}", "wait for it, or name another file with -o") from error
        except OSError as error:
            self.unlocked = f"{self._path} cannot be locked ({error.strerror}): let no other process write it"
        try:
            for raw in _whole_lines(self._journal):
                self._ahead[self._shard.number(_line_of(raw))] = raw
        except ConfigError:
            self._close()
            raise
        return self

    def _close(self) -> None:
        self._journal.close()
        self._file.close()

    def check_against(self, lines: ShardLines, advance: Callable[[int], None]) -> bool:
        """Reads past what is done; True when that is all of it. Raises ConfigError where it was another input's."""
        for raw in _whole_lines(self._file):
            source = lines.readline()
            result = json.loads(raw)
            expected = self._shard.line(self.done + 1)
            if result.get("line") != expected or result.get("input") != _mark(source):
                remedy = "name another file with -o, or remove this one"
                raise ConfigError(f"{self._path} holds other results: line {expected} is of another input", remedy)
            self.done += 1
            self.failed += bool(result.get("error"))
            advance(len(source))
        self._ahead = {number: raw for number, raw in self._ahead.items() if number > self.done}
        over = lines.is_over()
        if over:
            self._forget_journal()
        return over

    def has(self, number: int, source: bytes) -> bool:
        """True if the line of that number was done before."""
        known = self._ahead.get(number)
        return known is not None and json.loads(known).get("input") == _mark(source)

    def put(self, number: int, source: bytes, result: Mapping[str, object]) -> None:
        """Keeps a line's result before anything else happens."""
        text = json.dumps({"line": self._shard.line(number), **result, "input": _mark(source)}, ensure_ascii=False)
        self._ahead[number] = text.encode("utf-8", "replace") + b"\n"
        if number != self.done + 1:
            self._append(self._journal, self._ahead[number])
        self.settle()

    def settle(self) -> None:
        """Writes what is in order now."""
        wrote = False
        while (raw := self._ahead.pop(self.done + 1, None)) is not None:
            self._append(self._file, raw)
            self.done += 1
            self.failed += b'"error": ' in raw and bool(json.loads(raw).get("error"))
            wrote = True
        if wrote and not self._ahead:
            self._forget_journal()

    def _append(self, file: IO[bytes], raw: bytes) -> None:
        """All of it or nothing. Raises AgenticError."""
        descriptor = file.fileno()
        end = os.fstat(descriptor).st_size
        try:
            left = memoryview(raw)
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            os.ftruncate(descriptor, end)
            raise AgenticError(
                f"{file.name} cannot be written: {error.strerror}", "make room, then start it again: what is done stays done"
            ) from error

    def _forget_journal(self) -> None:
        os.ftruncate(self._journal.fileno(), 0)

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        empty = os.fstat(self._journal.fileno()).st_size == 0
        self._close()
        if empty:
            self._path.with_name(self._path.name + ".journal").unlink(missing_ok=True)


def merge(parts: Sequence[Path], target: Path) -> int:
    """The results of shards as one file, in the order of their lines; how many. Raises ConfigError where they are no whole."""
    found: list[tuple[int, Path, int]] = []
    for path in parts:
        with path.open("rb") as file:
            place = 0
            for raw in file:
                found.append((_line_of(raw), path, place))
                place += len(raw)
    found.sort(key=lambda each: each[0])
    for number, (line, path, _) in enumerate(found, 1):
        if line != number:
            what = "is not there" if line > number else "is there twice" if line > 0 else "is no result"
            raise ConfigError(f"line {number if line > 0 else ''} {what} ({path})".replace("  ", " "), "name every part, each once")
    _require_file(target)
    if target.exists():
        with target.open("rb") as file:
            _require_results(file, target.name)
    with ExitStack() as stack, NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as out:
        fresh = Path(out.name)
        stack.callback(fresh.unlink, missing_ok=True)
        files = {path: stack.enter_context(path.open("rb")) for path in parts}
        for _, path, place in found:
            files[path].seek(place)
            out.write(files[path].readline())
        out.flush()
        fresh.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o600)
        fresh.replace(target)
    return len(found)


def _whole_lines(file: IO[bytes]) -> Iterable[bytes]:
    """Lines from the start; a torn last one of ours, from a kill, is cut off. Raises ConfigError for a file that is not ours."""
    file.seek(0)
    _require_results(file, file.name)
    file.seek(0)
    end = 0
    for raw in file:
        if not raw.endswith(b"\n"):
            os.ftruncate(file.fileno(), end)
            return
        end += len(raw)
        yield raw


def _require_results(file: Iterable[bytes], name: str) -> None:
    """Raises ConfigError for a line that is neither a result nor, as the last one, the beginning of one."""
    for number, raw in enumerate(file):
        if _is_result(raw) or (_is_torn(raw) and (number or raw.startswith(_BEGIN))):
            continue
        raise ConfigError(f"{name} holds something else than results, and stays as it is", "name another file with -o")


def _is_result(raw: bytes) -> bool:
    try:
        found = json.loads(raw)
    except ValueError:
        return False
    return isinstance(found, dict) and type(found.get("line")) is int and isinstance(found.get("input"), str)


def _is_torn(raw: bytes) -> bool:
    """True for a line that a kill cut: it begins as ours do, has no end, and is no JSON yet."""
    if raw.endswith(b"\n") or not (raw.startswith(_BEGIN) or _BEGIN.startswith(raw)):
        return False
    try:
        json.loads(raw)
    except ValueError:
        return True
    return False


def _require_file(path: Path) -> None:
    """Raises ConfigError for what cannot be gone on with after a kill: a device, a pipe."""
    if path.name == "-" or (path.exists() and not path.is_file()):
        raise ConfigError(f"-o {path}: results are kept in a file, so that a kill loses nothing", "name a file")


def _line_of(raw: bytes) -> int:
    try:
        return int(json.loads(raw)["line"])
    except (ValueError, KeyError, TypeError):
        return 0


def _mark(source: bytes) -> str:
    """By which a result knows its input."""
    return hashlib.blake2b(source.rstrip(b"\r\n"), digest_size=6).hexdigest()
