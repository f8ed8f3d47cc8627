"""Server-sent events from bytes, however the network cut them."""

from agentic.errors import StreamBroken

MAX_EVENT_BYTES = 8 * 1024 * 1024


class SseParser:
    """Feed it bytes, get the data of each finished event. Comments (`: keep-alive`) and other fields are skipped."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that `chunk` finished. Raises StreamBroken for an event beyond MAX_EVENT_BYTES."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        events = []
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                self._size += len(line)
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
                self._size = 0
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise StreamBroken(f"the server sent an event of more than {MAX_EVENT_BYTES} bytes")
        return events
