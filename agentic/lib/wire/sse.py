"""Server-sent events from bytes, however the network cut them and whichever dialect the server speaks.

Read are the standard's line ends (LF, CRLF, CR), its byte order mark, comments, fields without a colon, and a last event that lacks
its blank line; and what is seen besides: `event: error` and an `error:` field, which become `{"error": …}`, and pings by any name.
"""

import json

from agentic.errors import StreamBroken
from agentic.lib.wire.json_text import loads

MAX_EVENT_BYTES = 8 * 1024 * 1024
MAX_STRAY_BYTES = 4096
_MARK = b"\xef\xbb\xbf"
_OWN = (b"", b"message")  # names of events that carry the answer
_ERRORS = (b"error", b"exception", b"fatal", b"failure")
_DONE = b"[DONE]"


class SseParser:
    """Feed it bytes, get the data of each finished event.

    `signs` counts what carries nothing and still shows that the server is alive: comments, empty events, pings. `stray` is the
    beginning of what is no event at all, such as a page of a proxy's.
    """

    def __init__(self) -> None:
        self.signs = 0
        self.stray = b""
        self._rest = b""
        self._begun = self._after_return = False
        self._data: list[bytes] = []
        self._name = b""
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the events that `chunk` finished. Raises StreamBroken for an event beyond MAX_EVENT_BYTES."""
        if not self._begun:
            self._rest += chunk
            if len(self._rest) < len(_MARK) and _MARK.startswith(self._rest):
                return []
            chunk, self._rest, self._begun = self._rest.removeprefix(_MARK), b"", True
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if chunk:
            self._after_return = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        events: list[bytes] = []
        for line in lines:
            self._line(line, events)
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise StreamBroken(f"the server sent an event of more than {MAX_EVENT_BYTES} bytes")
        return events

    def end(self) -> list[bytes]:
        """Returns the last event where the bytes ended before its blank line."""
        events: list[bytes] = []
        for line in (self._rest, b""):
            self._line(line, events)
        self._rest = b""
        return events

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            self._dispatch(events)
        elif line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
            self._size += len(line)
        elif line.startswith(b":"):
            self.signs += 1
        else:
            self._field(line)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(b"")
        elif name == b"event":
            self._name = value.strip()
        elif name == b"error":  # llama.cpp before 2025
            self._name = b"error"
            self._data.append(value.strip())
            self._size += len(line)
        elif name not in (b"id", b"retry"):
            self.stray += line[: MAX_STRAY_BYTES - len(self.stray)] + b"\n"

    def _dispatch(self, events: list[bytes]) -> None:
        if not self._data:
            self._name = b""
            return
        parts, data, name = tuple(self._data), b"\n".join(self._data).strip(), self._name.lower()
        self._data.clear()
        self._name, self._size = b"", 0
        if name in _ERRORS:
            events.append(_as_error(data))
        elif data == _DONE:
            events.append(data)
        elif len(parts) > 1 and all(part.lstrip().startswith(b"{") for part in parts):  # events without a blank line between them
            events += [part for part in parts if part.strip()]
        elif data and _carries(data, name):
            events.append(data)
        else:
            self.signs += 1


def _carries(data: bytes, name: bytes) -> bool:
    """True if it is for whoever reads the answer, and no ping by any name."""
    if data.startswith((b"{", b"[")):
        return name in _OWN or b'"choices"' in data or b'"error"' in data
    return name in _OWN and not data.replace(b"-", b"").isalnum()


def _as_error(data: bytes) -> bytes:
    """Returns the data of an event that is an error by its name, in the shape of one that is an error by its fields."""
    try:
        value = loads(data)
    except ValueError:
        value = data.decode("utf-8", "replace")
    known = isinstance(value, dict) and (value.get("error") or value.get("object") == "error")
    return data if known else json.dumps({"error": value or "no reason was given"}).encode()
