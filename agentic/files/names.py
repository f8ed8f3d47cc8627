"""File names as text that can be shown, sent and typed back: what is no printable UTF-8 is spelled out, byte by byte."""

import os
import re
import unicodedata

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


_BLANKS = dict.fromkeys(map(ord, "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"), " ")


def _same(name: str) -> str:
    """What names have in common that people take for one: composed letters, and any blank for a blank."""
    return unicodedata.normalize("NFC", name).translate(_BLANKS)


def as_stored(root: str, name: str) -> str:
    """A path below `root` by the names that the folders have, where they write it otherwise: a Mac takes letters apart, and puts
    narrow blanks into names. A part that is there as it stands, or that several names could be meant by, stays.
    """
    if name.isascii() and " " not in name:
        return name
    found = root
    for part in name.split("/"):
        path = os.path.join(found, part)
        if not os.path.lexists(path) and (not part.isascii() or " " in part):
            try:
                alike = [entry for entry in os.listdir(found) if _same(entry) == _same(part)]
            except OSError:
                alike = []
            path = os.path.join(found, alike[0]) if len(alike) == 1 else path
        found = path
    return os.path.relpath(found, root)
