"""The one reader of harmony: an answer's tokens as thoughts, text and calls, whether they are streamed, gone on with, or cut.

It reads as vLLM does where that is strict (`vllm/parser/harmony.py`), and beyond it where that loses: calls of `container`,
`python` and `browser`, a recipient in both places, messages without an end.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Literal

from agentic import ToolCallDelta
from agentic.lib.patterns import late_pattern
from agentic.lib.record import record
from plugins_builtin.vllm.harmony import encoding, error_class

RETURN, CONSTRAIN, CHANNEL, START, END, MESSAGE, CALL = 200002, 200003, 200005, 200006, 200007, 200008, 200012
_END_OF_TEXT = 199999
STOPS = (RETURN, CALL)
"""Behind which the model says no more."""
_CLOSING = frozenset([END, CALL, RETURN, _END_OF_TEXT])
_CHANNEL = late_pattern(r"<\|channel\|>\s*(\w+)")
_RECIPIENT = late_pattern(r"to=([^\s<]+)")
_AUTHOR = late_pattern(r"\s*(?:user|system|developer|tool|functions|[\w-]+\.[\w.-]+)\b(?!=)")
_HEADER = late_pattern(r"(?:assistant)?(?:\s?to=\S*)?")
_LEAD = late_pattern(r"\s?(?:assistant)?(?:\s?to=\S*)?")
_UNCLOSED = late_pattern(r"to=([\w.-]+)\s?(?:<\|constrain\|>)?\s?(?:json|code)?\s?(?=[{\[])")
_BARE = ("final", "analysis", "commentary")
_FIRST_MARK = 199_998  # ids from here on are no text
_LONGEST = 4  # tokens that one character may be spread over
Kind = Literal["thought", "text", "call", "hidden"]


@record(frozen=True, slots=True)
class Header:
    """The header of a message. `recipient` is whom the message calls, "" for nobody; a final ends the turn."""

    kind: Kind
    recipient: str = ""
    is_final: bool = False


@lru_cache(maxsize=256)
def read_header(header: str, is_first: bool = True) -> Header:
    """Reads the text between two messages, marks included: `<|channel|>commentary to=functions.run <|constrain|>json`.

    The first message is the model's, whatever its header says.
    """
    if not is_first and _AUTHOR.match(header):
        return Header("hidden")  # what a tool might have said
    channel = _CHANNEL.search(header)
    word = channel[1] if channel is not None else header.strip() if header.strip() in _BARE else "final"
    recipients = _RECIPIENT.findall(header)
    recipient = next((each for each in recipients if each != "assistant"), "")
    if recipient and recipient != "user":
        return Header("call", recipient)
    if recipients and not recipient:
        return Header("hidden")
    if word == "analysis":
        return Header("thought")
    return Header("text", is_final=word != "commentary")


@record(slots=True)
class Piece:
    """The piece that some tokens add to an answer."""

    text: str = ""
    reasoning: str = ""
    calls: list[ToolCallDelta] = field(default_factory=list)


class HarmonyReader:
    """`feed` it tokens in any portions. `text`, `reasoning` and `calls`, (id, recipient), are what came so far.

    `ended_by` is the mark that closed the last message, 0 within one. Raises AgenticError without the oss-harmony package.
    """

    def __init__(self) -> None:
        self._decode: Callable[[Sequence[int]], str] = encoding().decode_utf8
        self._lossy: Callable[[Sequence[int]], str] = encoding().decode
        self._error = error_class()
        self._header: list[int] | None = []  # None within a message
        self._now = Header("hidden")
        self._waiting: list[int] = []  # the tokens of a character that is not whole
        self._said: set[Kind] = set()
        self._begins = False  # nothing of this message was said yet
        self.calls: list[tuple[str, str]] = []
        self.text = self.reasoning = ""
        self.has_final = self.has_hidden = False
        self._is_first = True
        self.ended_by = 0

    def feed(self, tokens: Sequence[int]) -> Piece:
        """Returns the piece that the tokens add."""
        piece = Piece()
        for token in tokens:
            if token in _CLOSING or token == START or (token == CHANNEL and self._header is None):
                self._close(token, piece)
            elif self._header is None:
                if token < _FIRST_MARK:
                    self._say(self._character(token), piece)
            elif token == MESSAGE:
                self._begin(self._any(self._header), piece)
            else:
                self.ended_by = 0
                self._header.append(token)
        return self._pass_on(piece)

    def end(self) -> Piece:
        """Returns what is left when the answer is over: a text that stands in no message counts as one."""
        piece = Piece()
        self._close(END, piece)
        return self._pass_on(piece)

    def _pass_on(self, piece: Piece) -> Piece:
        self.text += piece.text
        self.reasoning += piece.reasoning
        return piece

    def _begin(self, header: str, piece: Piece) -> None:
        """A message behind its header; what stands before the header's first mark is said, too."""
        lead, mark, _ = header.partition("<|")
        stray = lead[len(match[0]) :] if (match := _LEAD.match(lead)) else lead
        read = read_header(header, self._is_first)
        if stray.strip() and read.kind != "hidden" and stray.strip() not in _BARE:
            self._open(Header("text", is_final=True), piece)
            self._say(stray, piece)
            read = read_header(mark + header.partition("<|")[2])
        self._open(read, piece)

    def _open(self, header: Header, piece: Piece) -> None:
        self._now, self._header, self._begins, self._is_first = header, None, True, False
        self.has_final = self.has_final or header.is_final
        self.has_hidden = self.has_hidden or header.kind == "hidden"
        if header.kind == "call":
            id_ = f"call_{secrets.token_hex(8)}"
            self.calls.append((id_, header.recipient))
            piece.calls.append(ToolCallDelta(len(self.calls) - 1, id_, header.recipient.removeprefix("functions."), ""))

    def _close(self, token: int, piece: Piece) -> None:
        if self._header is None and self._waiting:
            self._say(self._any(self._waiting), piece)
            self._waiting = []
        if self._header:
            self._without_message(self._any(self._header), piece)
        self._header = [CHANNEL] if token == CHANNEL else []
        self.ended_by = token if token in _CLOSING else 0

    def _without_message(self, header: str, piece: Piece) -> None:
        """A header that no message followed: what it has beside a header's words is one."""
        if (call := _UNCLOSED.search(header)) is not None:
            self._open(Header("call", call[1]), piece)
            self._say(header[call.end() :], piece)
            return
        channel = _CHANNEL.search(header)
        said = header[channel.end() :] if channel is not None else header
        if "<|" not in said and not _HEADER.fullmatch(said.strip()):
            self._open(read_header(header[: channel.end()]) if channel is not None else Header("text", is_final=True), piece)
            self._say(said.strip() if channel is not None else said, piece)

    def _any(self, tokens: Sequence[int]) -> str:
        """Their text, also of numbers that are no tokens."""
        try:
            return self._lossy(tokens)
        except (self._error, OverflowError):
            return "\ufffd"

    def _character(self, token: int) -> str:
        """ "" as long as a character is not whole."""
        self._waiting.append(token)
        try:
            text = self._decode(self._waiting)
        except (self._error, OverflowError):
            if len(self._waiting) < _LONGEST:
                return ""
            text = self._any(self._waiting)
        self._waiting = []
        return text

    def _say(self, said: str, piece: Piece) -> None:
        kind = self._now.kind
        if not said or kind == "hidden":
            return
        if kind == "call":
            piece.calls.append(ToolCallDelta(len(self.calls) - 1, "", "", said))
            return
        if self._begins and kind in self._said:  # messages of a kind are told apart by a line's end
            said = f"\n{said}"
        self._begins = False
        self._said.add(kind)
        if kind == "thought":
            piece.reasoning += said
        else:
            piece.text += said
