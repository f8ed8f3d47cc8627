"""The chat's input: several lines, history, completion, pastes, an editor."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, get_common_complete_suffix
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.input.posix_utils import PosixStdinReader
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import create_output

from agentic.errors import AgenticError
from agentic.lib.files import FileFinder, make_own
from agentic.lib.record import record
from agentic.lib.terminal.attention import FOCUS, NO_FOCUS
from agentic.lib.terminal.keys import Replies, pasted
from agentic.types import ImagePart
from plugins_builtin.terminal.clipboard import pasted_picture, picture_at
from plugins_builtin.terminal.completion import Complete, Names

MAX_READ = 1024  # bytes of what was typed, as prompt-toolkit reads them
MAX_LINES_SHOWN = 5  # of a paste; a longer one is folded
MAX_CHARACTERS_SHOWN = 600
_PASTE = re.compile(r"\[paste (\d+): [^\]]*\]")
# Shift-Enter, from terminals that tell it from Enter: xterm's way, which is switched on while a line is read, and kitty's.
_SHIFT_ENTER = ("\x1b[27;2;13~", "\x1b[13;2u")
_TELL_SHIFT, _AS_BEFORE = "\x1b[>4;1m", "\x1b[>4;0m"
ANSI_SEQUENCES |= dict.fromkeys(_SHIFT_ENTER, (Keys.Escape, Keys.ControlM))
ANSI_SEQUENCES |= dict.fromkeys((FOCUS, NO_FOCUS), Keys.Ignore)  # late ones, of the turn before


class EditLast(Exception):
    """The user wants to change what was said last."""


@record(frozen=True, slots=True)
class LineOptions:
    """`history` is where messages are kept; `editing` is emacs or vi; `unfold` is called for Ctrl-O."""

    history: Path
    editing: str = "emacs"
    unfold: Callable[[], None] = lambda: None
    replies: Replies | None = None


class Prompt:
    """Reads messages. `commands` are the slash commands with what each does."""

    def __init__(
        self,
        root: Path,
        commands: Mapping[str, str],
        complete: Complete,
        stdout: TextIO,
        line: "LineOptions",
    ) -> None:
        self._pastes: list[str] = []
        self._pictures: list[ImagePart] = []
        self._is_open = False
        self._finder = FileFinder(root)
        completer = Names(self._finder, commands, complete)
        self._session: PromptSession[str] = PromptSession(
            "› ",
            multiline=True,
            key_bindings=self._keys(line.unfold),
            history=_history(line.history),
            completer=completer,
            complete_while_typing=Condition(lambda: completer.helps(get_app().current_buffer.document)),
            complete_in_thread=True,
            tempfile_suffix=".md",
            editing_mode=EditingMode.VI if line.editing == "vi" else EditingMode.EMACS,
            prompt_continuation="  ",
            input=_input(line.replies),
            output=create_output(stdout),
        )

    async def read(self, text: str = "") -> str:
        """A message, beginning with `text`. Raises KeyboardInterrupt, EOFError, EditLast."""
        self._finder.look()
        output = self._session.output
        output.write_raw(_TELL_SHIFT)
        self._is_open = True
        try:
            said = await self._session.prompt_async(default=text)
            self._is_open = False
            return self.unfolded(said).strip()
        except KeyboardInterrupt:
            if draft := self.draft:
                self._session.history.append_string(draft)  # Arrow-Up brings it back
            raise
        finally:
            output.write_raw(_AS_BEFORE)
            output.flush()

    def above(self, draw: Callable[[], None]) -> None:
        """Has what `draw` writes stand above the line, while one is read."""
        if self._session.app.is_running:
            self._session.app.create_background_task(_drawn(draw))
        else:
            draw()

    @property
    def draft(self) -> str:
        """The text in the line, not sent yet."""
        return self.unfolded(self._session.default_buffer.text) if self._is_open else ""

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

    def _show_picture(self, buffer: Buffer, picture: ImagePart) -> None:
        self._pictures.append(picture)
        buffer.insert_text(f"[picture {len(self._pictures)}: {len(picture.data) // 1024 + 1} KiB]")

    def _paste(self, buffer: Buffer, text: str) -> None:
        if picture := picture_at(text):
            return self._show_picture(buffer, picture)
        return buffer.insert_text(self._folded(text.replace("\r\n", "\n").replace("\r", "\n")))

    def _folded(self, text: str) -> str:
        lines = text.count("\n") + 1
        if lines <= MAX_LINES_SHOWN and len(text) <= MAX_CHARACTERS_SHOWN:
            return text
        self._pastes.append(text)
        return f"[paste {len(self._pastes)}: {lines} lines, {len(text)} characters]"

    def _keys(self, unfold: Callable[[], None]) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.complete_state and buffer.complete_state.current_completion:
                buffer.complete_state = None  # what was chosen stays, and nothing is sent yet
            elif buffer.document.text_before_cursor.endswith("\\"):
                buffer.delete_before_cursor()
                buffer.insert_text("\n")
            else:
                buffer.validate_and_handle()

        @keys.add("tab")
        def _(event: KeyPressEvent) -> None:
            _complete(event.current_buffer)

        @keys.add("c-z")
        def _(event: KeyPressEvent) -> None:
            event.app.suspend_to_background()

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("escape", "escape", filter=Condition(lambda: not get_app().current_buffer.text))
        def _(event: KeyPressEvent) -> None:
            event.app.exit(exception=EditLast())

        @keys.add("c-g")
        @keys.add("c-x", "c-e")
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            buffer.text = self.unfolded(buffer.text)
            buffer.open_in_editor()

        @keys.add("c-o")
        def _(event: KeyPressEvent) -> None:
            unfold()

        @keys.add("c-v")
        def _(event: KeyPressEvent) -> None:
            try:
                self._show_picture(event.current_buffer, pasted_picture())
            except AgenticError as error:
                why = error.with_remedy
                self.above(lambda: print(f"({why})", file=sys.stderr))

        @keys.add(Keys.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            self._paste(event.current_buffer, pasted(event.data))

        return keys


def _input(replies: Replies | None) -> Input:
    """The terminal, without its replies to what it was asked before."""
    made = create_input()
    return _Terminal(made.stdin, replies or Replies()) if isinstance(made, Vt100Input) else made


class _Terminal(Vt100Input):
    """The terminal's input. An escape may be the first byte of a reply, too, until nothing has followed for a moment."""

    def __init__(self, stdin: TextIO, replies: Replies) -> None:
        super().__init__(stdin)
        self.stdin_reader = _Typed(self.fileno(), stdin.encoding, replies)
        self._replies = replies

    def flush_keys(self) -> list[KeyPress]:
        if held := self._replies.flush():
            self.vt100_parser.feed(held)
        return super().flush_keys()


class _Typed(PosixStdinReader):
    def __init__(self, descriptor: int, encoding: str, replies: Replies) -> None:
        super().__init__(descriptor, encoding=encoding)
        self._replies = replies

    def read(self, count: int = MAX_READ) -> str:
        return self._replies.typed(super().read(count))


async def _drawn(draw: Callable[[], None]) -> None:
    await run_in_terminal(draw)


def _complete(buffer: Buffer) -> None:
    """Goes through what is shown; else puts in what all completions have in common. At once: what is shown may be older."""
    if buffer.complete_state:
        buffer.complete_next()
        return
    found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
    if len(found) == 1:
        buffer.apply_completion(found[0])
        return
    buffer.insert_text(get_common_complete_suffix(buffer.document, found))
    buffer.start_completion()


def _history(path: Path) -> History:
    try:
        make_own(path.parent)
        path.touch(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
