"""The message in the making: its history, pastes that are folded in it, pictures, and the terminal's input."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.input.posix_utils import PosixStdinReader
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys

from agentic.lib.files import make_own
from agentic.lib.record import record
from agentic.lib.terminal.attention import FOCUS, NO_FOCUS
from agentic.lib.terminal.keys import Replies
from agentic.types import ImagePart
from plugins_builtin.terminal.clipboard import picture_at

MAX_READ = 1024  # bytes of what was typed, as prompt-toolkit reads them
MAX_LINES_SHOWN = 5  # of a paste; a longer one is folded
MAX_CHARACTERS_SHOWN = 600
_PASTE = re.compile(r"\[paste (\d+): [^\]]*\]")
# Shift-Enter, from terminals that tell it from Enter: xterm's way, which is switched on while the chat runs, and kitty's.
_SHIFT_ENTER = ("\x1b[27;2;13~", "\x1b[13;2u")
TELL_SHIFT, TELL_NO_SHIFT = "\x1b[>4;1m", "\x1b[>4;0m"
ANSI_SEQUENCES |= dict.fromkeys(_SHIFT_ENTER, (Keys.Escape, Keys.ControlM))


@record(frozen=True, slots=True)
class LineOptions:
    """`history` is where messages are kept; `editing` is emacs or vi; `helps`: completions are shown unasked for.

    `lines_only`: nothing but the input is drawn again, for screen readers. `gone()` is asked where the terminal is: True if
    there is another one in its place now.
    """

    history: Path
    editing: str = "emacs"
    replies: Replies | None = None
    helps: Callable[[Document], bool] = lambda document: False
    focus: Callable[[bool], None] = lambda has_it: None
    gone: Callable[[], bool] = lambda: False
    lines_only: bool = False


class Folds:
    """Long pastes, which are a placeholder in the draft and whole in the message; and pictures that go along with it."""

    def __init__(self) -> None:
        self._pastes: list[str] = []
        self._pictures: list[ImagePart] = []

    def unfolded(self, text: str) -> str:
        """The text with its pastes whole."""

        def paste(match: re.Match[str]) -> str:
            number = int(match[1])
            return self._pastes[number - 1] if 0 < number <= len(self._pastes) else match[0]

        return _PASTE.sub(paste, text)

    def take_pictures(self) -> list[ImagePart]:
        """Returns the pictures that were pasted since the last call."""
        taken, self._pictures = self._pictures, []
        return taken

    def add_picture(self, buffer: Buffer, picture: ImagePart) -> None:
        self._pictures.append(picture)
        buffer.insert_text(f"[picture {len(self._pictures)}: {len(picture.data) // 1024 + 1} KiB]")

    def paste(self, buffer: Buffer, text: str) -> None:
        if picture := picture_at(text):
            self.add_picture(buffer, picture)
        else:
            buffer.insert_text(self._folded(text.replace("\r\n", "\n").replace("\r", "\n")))

    def _folded(self, text: str) -> str:
        lines = text.count("\n") + 1 - text.endswith("\n")
        if lines <= MAX_LINES_SHOWN and len(text) <= MAX_CHARACTERS_SHOWN:
            return text
        self._pastes.append(text)
        return f"[paste {len(self._pastes)}: {lines} lines, {len(text)} characters]"


def input_of(line: LineOptions) -> Input:
    """The terminal, without its replies to what it was asked before; `line.focus` hears of its window's focus."""
    made = create_input()
    return _Terminal(made.stdin, line) if isinstance(made, Vt100Input) else made


class _Terminal(Vt100Input):
    """The terminal's input. An escape may be the first byte of a reply, too, until nothing has followed for a moment."""

    def __init__(self, stdin: TextIO, line: LineOptions) -> None:
        super().__init__(stdin)
        self._replies = line.replies or Replies()
        self.stdin_reader = _Typed(self.fileno(), stdin.encoding, self._replies, line)

    def flush_keys(self) -> list[KeyPress]:
        if held := self._replies.flush():
            self.vt100_parser.feed(held)
        return super().flush_keys()


class _Typed(PosixStdinReader):
    def __init__(self, descriptor: int, encoding: str, replies: Replies, line: LineOptions) -> None:
        super().__init__(descriptor, encoding=encoding)
        self._replies = replies
        self._line = line

    def read(self, count: int = MAX_READ) -> str:
        text = self._replies.typed(super().read(count))
        for code, has_it in ((FOCUS, True), (NO_FOCUS, False)):
            if code in text:
                self._line.focus(has_it)
                text = text.replace(code, "")
        self.closed = self.closed and not self._line.gone()
        return text


def history_of(path: Path) -> History:
    try:
        make_own(path.parent)
        path.touch(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
