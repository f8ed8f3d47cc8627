"""The chat's input: several lines, history, completion."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

from agentic.core.opening import file_names

MAX_COMPLETIONS = 50


Complete = Callable[[str, str], Iterable[str]]
"""What a slash command's argument may go on as: (command, argument)."""


def make_prompt(root: Path, commands: Iterable[str], complete: Complete, history: Path, stdout: TextIO) -> "PromptSession[str]":
    """Enter sends; Alt-Enter, or Enter after a backslash, begins a new line; Tab completes commands and file names."""
    return PromptSession(
        "› ",
        multiline=True,
        key_bindings=_keys(),
        history=_history(history),
        completer=_Names(root, tuple(commands), complete),
        complete_while_typing=False,
        prompt_continuation="  ",
        output=create_output(stdout),
    )


def _history(path: Path) -> History:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("c-z")
    def _(event: KeyPressEvent) -> None:
        event.app.suspend_to_background()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


class _Names(Completer):
    def __init__(self, root: Path, commands: tuple[str, ...], complete: Complete) -> None:
        self._root = root
        self._commands = commands
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        before = document.text_before_cursor
        word = before.rpartition(" ")[2].rpartition("\n")[2]
        if before.startswith("/") and word == before:
            names: Iterable[str] = self._commands
        elif before.startswith("/") and (known := list(self._complete(*before.split(" ", 1)))):
            names = known
        else:
            names = (name for name in file_names(self._root) if word and word in name)
        found = sorted((name for name in names if word in name), key=lambda name: (not name.startswith(word), name))
        for name in found[:MAX_COMPLETIONS]:
            yield Completion(name, start_position=-len(word))
