"""File names as text that can be shown, sent and typed back: what is no printable UTF-8 is spelled out, byte by byte."""

import os
import re

_SPELLED = re.compile(rb"\\x([0-9a-f]{2})")


def shown(name: str) -> str:
    r"""A name as it came from the system; `b"\xc7\xd1.txt"` is shown as `\xc7\xd1.txt`, a line break in it as `\x0a`."""
    return name if name.isprintable() else "".join(map(_spelled, name))


def _spelled(character: str) -> str:
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def stored(name: str) -> str:
    """The name that is shown so. Raises ValueError for what no file can be called."""
    return os.fsdecode(_SPELLED.sub(lambda match: bytes([int(match[1], 16)]), os.fsencode(name)))
