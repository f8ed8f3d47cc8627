"""The output that a terminal has shown, so that another one, of whatever width, can be brought to the same."""

import re
import termios
import tty
from collections import deque

MAX_SHOWN = 1 << 19  # bytes
BEGIN_ROWS, END_ROWS = b"\x1b]5151;rows\x07", b"\x1b]5151;end\x07"
"""Around what stays. What comes behind it draws the region, and is of no use once it is drawn anew."""
_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_SYNCHRONISED = b"2026"
# What asks a terminal for something, tells its user, or fills its clipboard: none of it is meant a second time.
_ONCE = re.compile(
    rb"\x1b\[(?:\??[56]n|[>=]?0?c|\?u|>0?q|\?[0-9]+\$p)"
    rb"|\x1b\](?:9|52|777);[^\x07\x1b]*(?:\x07|\x1b\\)"
    rb"|\x1b\][0-9;]*\?(?:\x07|\x1b\\)"
    rb"|\x1bP[$+]q[^\x1b]*\x1b\\"
)
_BELL = re.compile(rb"(\x1b\][^\x07\x1b]*)?\x07")  # one that ends nothing
BEGUN = re.compile(rb"\x1b(?:\][^\x07\x1b]*|\[[0-9;?]*)?$")  # a code whose end is still to come
RESET = b"\x1b[?2026l\x1b[?2004l\x1b[?1004l\x1b[>4;0m\x1b[?25h\x1b[0m"
"""Puts a terminal back to how a shell expects it."""


def give_keys_as_they_are(descriptor: int) -> None:
    """Sets a terminal so; its lines end as they do."""
    tty.setraw(descriptor)
    attributes = termios.tcgetattr(descriptor)
    attributes[1] |= termios.OPOST | termios.ONLCR
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


class Shown:
    """The newest of it: rows that stay, and what was drawn since."""

    def __init__(self, most: int = MAX_SHOWN) -> None:
        self._most = most
        self._rows: deque[bytes] = deque()
        self._size = 0
        self._is_cut = False
        self._drawn = b""
        self._is_of_rows = False
        self._begun = b""
        self._modes: dict[bytes, bytes] = {}

    def add(self, data: bytes) -> bytes:
        """Returns what a terminal is to get of it."""
        data = self._begun + data
        begun = BEGUN.search(data)
        data, self._begun = (data[: begun.start()], begun[0]) if begun else (data, b"")
        for found in _MODE.finditer(data):
            self._modes |= dict.fromkeys(found[1].split(b";"), found[2])
        rest = data
        while rest:
            part, marker, rest = rest.partition(END_ROWS if self._is_of_rows else BEGIN_ROWS)
            if self._is_of_rows:
                self._keep(part)
            else:
                self._drawn += part
                self._drawn = self._drawn if len(self._drawn) < 2 * self._most else self._drawn[-self._most :]
            if marker:
                self._is_of_rows, self._drawn = not self._is_of_rows, b""
        return data.replace(BEGIN_ROWS, b"").replace(END_ROWS, b"")

    def _keep(self, rows: bytes) -> None:
        self._rows.append(rows)
        self._size += len(rows)
        while self._size > self._most and len(self._rows) > 1:
            self._size -= len(self._rows.popleft())
            self._is_cut = True

    def replay(self, rows_above: int | None = None) -> bytes:
        """Brings a terminal to what this one showed; with the rows above its cursor, to where a region of other width begins."""
        drawn = self._drawn[-self._most :] if rows_above is None else b"\r\n" * rows_above
        rows = b"".join(self._rows)
        if self._is_cut:
            rows = b"(earlier: agentic sessions show)\r\n" + rows.partition(b"\n")[2]
        text = rows + drawn
        text = _BELL.sub(lambda found: found[0] if found[1] else b"", _ONCE.sub(b"", text))
        modes = (b"\x1b[?%b%b" % mode for mode in self._modes.items() if mode[0] != _SYNCHRONISED)
        return text + b"".join(modes)
