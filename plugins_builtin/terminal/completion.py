"""The completions of the chat's input: slash commands, their arguments, files."""

import re
from collections.abc import Iterator
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from agentic.lib.files import FileFinder
from plugins_builtin.terminal.slash import BLANK, Slash

MAX_COMPLETIONS = 50


class Names(Completer):
    """Slash commands, their arguments, and files behind an @; with Tab also files without one."""

    def __init__(self, root: Path, slash: Slash) -> None:
        self._finder = FileFinder(root)
        self._slash = slash

    def helps(self, document: Document) -> bool:
        """True if completions are shown without being asked for."""
        before = document.text_before_cursor
        return before.startswith("/") or _word(before).startswith("@")

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        before = document.text_before_cursor
        word = _word(before)
        if before.startswith("/") and word == before:
            yield from self._of_commands(word)
        elif before.startswith("/") and (known := list(self._slash.complete(*re.split(BLANK, before, maxsplit=1)))):
            for name in sorted(name for name in known if word in name)[:MAX_COMPLETIONS]:
                yield Completion(name, start_position=-len(word))
        elif word.startswith("@") or (word and complete_event.completion_requested):
            yield from self._of_files(word)

    def _of_commands(self, word: str) -> Iterator[Completion]:
        found = [name for name in self._slash.summaries if word[1:] in name]
        for name in sorted(found, key=lambda name: (not name.startswith(word), name)):
            yield Completion(name, start_position=-len(word), display_meta=self._slash.summaries[name])

    def look(self) -> None:
        """Files that came since are found, too."""
        self._finder.look()

    def _of_files(self, word: str) -> Iterator[Completion]:
        mark = "@" if word.startswith("@") else ""
        for count, name in enumerate(self._finder.find(word.removeprefix("@"))):
            if count == MAX_COMPLETIONS:
                return
            quoted = f'{mark}"{name}"' if mark and " " in name else mark + name
            yield Completion(quoted, start_position=-len(word), display=name)


def _word(before: str) -> str:
    """Returns the word that is being written."""
    return re.split(BLANK, before)[-1]
