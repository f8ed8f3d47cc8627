"""True if the terminal's background is light: by COLORFGBG, else the terminal is asked."""

import functools
import os
import re
import select
import sys
import time

from agentic.lib.record import record
from agentic.lib.terminal import keyboard

ANSWER_SECONDS = 0.15
# The second question is one that every terminal answers: what does not know the first is not waited for.
_QUESTIONS = b"\x1b]11;?\x1b\\\x1b[c"
_COLOUR = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})[^\x07\x1b]*(?:\x07|\x1b\\)")
_ATTRIBUTES = re.compile(rb"\x1b\[\?[0-9;]*c")
_LIGHT = 0.5


@record(frozen=True, slots=True)
class Background:
    """`is_light`, None where that is unknown; `typed` are keys that the user pressed meanwhile."""

    is_light: bool | None = None
    typed: bytes = b""


@functools.cache
def background() -> Background:
    """Asked once; nobody else may read the keyboard meanwhile."""
    if (last := os.environ.get("COLORFGBG", "").rpartition(";")[2]).isdigit():
        return Background(int(last) in (7, 15))
    if os.environ.get("TERM", "dumb") in ("dumb", "linux") or not all(each and each.isatty() for each in (sys.stdin, sys.stdout)):
        return Background()
    with keyboard.single_keys():
        return read_answer(_ask_terminal())


def _ask_terminal() -> bytes:
    """Asks the terminal, and returns its answer together with any typed text."""
    os.write(sys.stdout.fileno(), _QUESTIONS)
    data, end = b"", time.monotonic() + ANSWER_SECONDS
    while not _ATTRIBUTES.search(data) and (left := end - time.monotonic()) > 0:
        if not select.select([sys.stdin], [], [], left)[0]:
            break
        data += os.read(sys.stdin.fileno(), 4096)
    return data


def read_answer(data: bytes) -> Background:
    """Reads the answers to both questions, and the rest, which was typed.

    >>> read_answer(b"\\x1b]11;rgb:ffff/ffff/dddd\\x07h\\x1b[?62c")
    Background(is_light=True, typed=b'h')
    """
    match = _COLOUR.search(data)
    typed = _ATTRIBUTES.sub(b"", _COLOUR.sub(b"", data))
    if match is None:
        return Background(None, typed)
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in match.groups())
    return Background(0.2126 * red + 0.7152 * green + 0.0722 * blue > _LIGHT, typed)
