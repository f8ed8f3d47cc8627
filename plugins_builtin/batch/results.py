"""The results of a batch: one line each, in order, appended so that a kill loses none."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import IO

from agentic import AgenticError, ConfigError
from plugins_builtin.batch.jobs import Shard, ShardLines

_BEGIN = b'{"line": '


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
