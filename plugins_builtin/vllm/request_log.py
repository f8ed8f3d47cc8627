"""A file with the requests and answers as they go over the wire, without keys: what to send along with a report on a server."""

import json
import os
import re
import time
from itertools import count
from pathlib import Path

from agentic import ConfigError

# Headers whose values are shown. Any other may hold a key.
_SHOWN = {
    "accept", "accept-encoding", "cache-control", "connection", "content-encoding", "content-length", "content-type", "date",
    "host", "keep-alive", "retry-after", "server", "transfer-encoding", "user-agent", "vary", "x-request-id", "x-session-id",
}  # fmt: skip
_HEAD = re.compile(rb"\A(?:[A-Z]+ |HTTP/).*?\r\n\r\n", re.DOTALL)
_HEADER = re.compile(r"^([^:\r\n]+):[ \t]*([^\r\n]*)", re.MULTILINE)
_QUERY = re.compile(r"(?<=[?&])([^=& ]+)=[^& \r\n]*")
MASK = "[masked]"


class RequestLog:
    """Appends a line of JSON for each piece: `time`, the exchange's `number`, `to` or `from` an origin, `data`."""

    def __init__(self, path: str) -> None:
        self._numbers = count(1)
        try:
            descriptor = os.open(Path(path).expanduser(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}", "--log-requests names a file") from error
        self._file = os.fdopen(descriptor, "ab", buffering=0)

    def begin(self) -> int:
        """The number of an exchange that begins."""
        return next(self._numbers)

    def write(self, number: int, way: str, origin: str, data: bytes) -> None:
        """Best effort: a disk that is full ends no answer."""
        record = {"time": round(time.time(), 3), "number": number, way: origin, "data": _masked(data)}
        try:
            self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        except OSError:
            pass

    def close(self) -> None:
        self._file.close()


def _masked(data: bytes) -> str:
    head = _HEAD.match(data)
    length = head.end() if head else 0
    shown = data[:length].decode("latin-1")
    shown = _HEADER.sub(lambda found: found[0] if found[1].lower() in _SHOWN else f"{found[1]}: {MASK}", shown)
    first, _, rest = shown.partition("\r\n")
    return _QUERY.sub(rf"\1={MASK}", first) + ("\r\n" if length else "") + rest + data[length:].decode("utf-8", "replace")
