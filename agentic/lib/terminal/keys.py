"""Takes apart what a terminal sends: keys, pastes, and replies to our questions, which may come late."""

import codecs
import re
import time
from collections.abc import Callable
from dataclasses import field

from agentic.lib.record import record

TELL_PASTES, TELL_NO_PASTES = "\x1b[?2004h", "\x1b[?2004l"
HELD_SECONDS = 0.5  # what belongs together has come together by then
ESCAPE_SECONDS = 0.1  # after which an escape that nothing follows is a key
_BEGIN, _END = "\x1b[200~", "\x1b[201~"
_MARK = re.compile(r"(\x1b\[20[01]~)")
_STRING = r"\x1b[\]PX^_][^\x07\x1b]*"  # OSC, DCS and their kin, up to their end
_MOUSE = r"\x1b\[<[\d;]+[Mm]|\x1b\[M[^\x1b]{3}"  # switched on by a program that did not switch it off
_REPLY = re.compile(rf"{_STRING}(?:\x07|\x1b\\)|\x1b\[[?>=][\d;:$]*[@-~]|\x1b\[[\d;]+[nt]|{_MOUSE}")
# Also an escape by itself, which may be the first byte of what comes next.
_UNFINISHED = re.compile(rf"(?:{_STRING}\x1b?|\x1b(?:\[[<?>=\d;:$]*)?)\Z")
_UNFINISHED_PASTE = re.compile(r"\x1b(?:\[\d*)?\Z")
# Kitty's way to name keys: code, that with Shift, modifiers, and what happened (3: it was let go); arrows and the like by a letter.
_KITTY = re.compile(r"\x1b\[(?P<code>\d+)(?::(?P<shifted>\d*)[\d:]*)?(?:;(?P<modifiers>\d*)(?::(?P<event>\d+))?)?(?:;[\d:]*)?u")
_KITTY_LETTER = re.compile(r"\x1b\[1;(?P<modifiers>\d+):(?P<event>\d+)(?P<letter>[A-Z])")
_KEYS = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.|[\r\n])|.", re.DOTALL)
_SHIFT, _ALT, _CTRL = 1, 2, 4
_PLAIN_CODES = (9, 13, 27, 127)


@record(slots=True)
class Replies:
    """Takes a terminal's replies out of what is typed, wherever the chunks break; nothing in a paste is one.

    >>> Replies().typed("h\\x1b]11;rgb:ffff/ffff/ffff\\x07i\\x1b[?62;22c")
    'hi'
    """

    clock: Callable[[], float] = time.monotonic
    _held: str = ""
    _since: float = 0.0
    _in_paste: bool = False

    def typed(self, text: str) -> str:
        """The keys and pastes of the text, and of what was held back before it."""
        held, self._held = self._held, ""
        late = self.clock() - self._since > HELD_SECONDS
        *pieces, last = _MARK.split(text if late else held + text)
        typed = [held if late else ""]  # it was no reply: a key with Alt
        for piece in pieces:
            if _MARK.fullmatch(piece):
                self._in_paste = piece == _BEGIN
            typed.append(self._keys(piece))
        typed.append(self._keys(self._finished(last)))
        return "".join(typed)

    @property
    def is_waiting(self) -> bool:
        """True if bytes are held back that may turn out to be a key."""
        return bool(self._held)

    def flush(self) -> str:
        """Returns the bytes that were held back. Called when nothing has followed them for a moment: they were a key."""
        held, self._held = self._held, ""
        return held

    def _keys(self, piece: str) -> str:
        return piece if self._in_paste else _KITTY_LETTER.sub(_letter, _KITTY.sub(_plain_key, _REPLY.sub("", piece)))

    def _finished(self, piece: str) -> str:
        unfinished = (_UNFINISHED_PASTE if self._in_paste else _UNFINISHED).search(piece)
        if unfinished is None:
            return piece
        self._held, self._since = unfinished[0], self.clock()
        return piece[: unfinished.start()]


def _letter(match: re.Match[str]) -> str:
    """An arrow or the like, as other terminals send it."""
    if match["event"] == "3":
        return ""
    return f"\x1b[{match['letter']}" if match["modifiers"] == "1" else f"\x1b[1;{match['modifiers']}{match['letter']}"


def _plain_key(match: re.Match[str]) -> str:
    """Translates a key in Kitty's words to the bytes that other terminals send for it; leaves Shift-Enter as it is."""
    code, modifiers = int(match["code"]), int(match["modifiers"] or 1) - 1
    if match["event"] == "3" or (code not in _PLAIN_CODES and not 32 <= code < 0xD800):
        return ""
    if modifiers & _SHIFT and code == 13:
        return match[0]
    shifted = chr(int(match["shifted"])) if match["shifted"] else chr(code).upper()
    key = shifted if modifiers & _SHIFT else chr(code)
    if modifiers & _CTRL and "@" <= key.upper() <= "_":
        key = chr(ord(key.upper()) & 0x1F)
    return "\x1b" + key if modifiers & _ALT else key


class Paste(str):
    """Text that was pasted: nothing in it is a key."""

    __slots__ = ()


@record(slots=True)
class Keys:
    """Keys and pastes out of the bytes that a terminal sends."""

    replies: Replies = field(default_factory=Replies)
    _decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))
    _paste: list[str] | None = None

    def feed(self, data: bytes) -> list[str]:
        """Returns the keys and pastes that are complete, in their order. An escape is held back: see `flush`."""
        return self._taken_apart(self.replies.typed(self._decoder.decode(data)))

    def flush(self) -> list[str]:
        """Returns the keys held back, after a moment in which nothing followed: an escape is the key Escape then."""
        return self._taken_apart(self.replies.flush())

    def _taken_apart(self, text: str) -> list[str]:
        pressed: list[str] = []
        for key in _KEYS.findall(text):
            if key == _BEGIN:
                self._paste = []
            elif key == _END:
                pressed.append(Paste(pasted("".join(self._paste or ()))))
                self._paste = None
            elif self._paste is not None:
                self._paste.append(key)
            else:
                pressed.append(key)
        return pressed


def pasted(text: str) -> str:
    """With one kind of line end, and without what could only be a command to a terminal."""
    text = re.sub(r"\r\n?", "\n", text)
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
