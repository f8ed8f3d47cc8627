"""File names as text that can be shown, sent and typed back: what is no printable UTF-8 is spelled out, byte by byte."""

import os
import re
import unicodedata

_SPELLED = re.compile(rb"\\x([0-9a-f]{2})")


def printable_name(name: str) -> str:
    r"""A name as it came from the system; `b"\xc7\xd1.txt"` is shown as `\xc7\xd1.txt`, a line break in it as `\x0a`."""
    return name if name.isprintable() else "".join(map(_spelled, name))


def _spelled(character: str) -> str:
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def stored(name: str) -> str:
    """The name that is shown so. Raises ValueError for what no file can be called."""
    return os.fsdecode(_SPELLED.sub(lambda match: bytes([int(match[1], 16)]), os.fsencode(name)))


_BLANKS = dict.fromkeys(
    map(ord, "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"), " "
)
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
_SIGNS = {
    ord(sign): plain
    for plain, signs in {"'": "\u2018\u2019\u02bc", '"': "\u201c\u201d", "-": "\u2010\u2011\u2013\u2014"}.items()
    for sign in signs
}
_ALIKE = _BLANKS | _UNSEEN | _SIGNS


def _same(name: str) -> str:
    """Returns the form shared by names that people take for one: composed letters; blanks, quotes, dashes of any kind alike."""
    return unicodedata.normalize("NFC", name).translate(_ALIKE)


def as_stored(root: str, name: str) -> str:
    """A path below `root` by the names that the folders have, where they write it otherwise: a Mac takes letters apart, and puts
    narrow blanks into names, editors curve quotes. A part that is there as it stands, or that may mean several names, stays.
    """
    found = root
    for part in name.split("/"):
        path = os.path.join(found, part)
        if not os.path.lexists(path):
            try:
                alike = [entry for entry in os.listdir(found) if _same(entry) == _same(part)]
            except OSError:
                alike = []
            path = os.path.join(found, alike[0]) if len(alike) == 1 else path
        found = path
    return os.path.relpath(found, root)
