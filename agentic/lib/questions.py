"""Questions to the user, as whoever shows them gets them, and their answers."""

import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import field
from typing import Literal

from agentic.lib.record import record

Reply = Literal["no", "once", "session", "project", "user"]


@record(frozen=True, slots=True)
class Question:
    """`what` an `agent` wants to do, in one line, and `body` all of it, byte for byte: a command, a diff, a call's arguments.

    `warnings` are what to look at. `reason` and `plugin` are those of a gate that wants it asked. `proposals` are the rules that
    "always" would add, none where there can be no always. `is_diff`: the body is one. `editable` are texts by a file's name that
    the user may change: the command, or the files as they would be. `waiting()` says what other agents want to ask by now.
    `own`: the user began it, so no model hears why it is refused.
    With `choices` (there may be none) it is no matter of yes or no: the answer's `word` is one of them, or any other text.
    """

    what: str
    agent: str = "main"
    reason: str = ""
    plugin: str = ""
    body: str = ""
    warnings: tuple[str, ...] = ()
    proposals: tuple[str, ...] = ()
    is_diff: bool = False
    editable: Mapping[str, str] = field(default_factory=dict)
    waiting: Callable[[], tuple[str, ...]] = tuple
    choices: tuple[str, ...] | None = None
    own: bool = False

    @property
    def in_one_line(self) -> str:
        """The line that shows it beside another one."""
        who = "" if self.agent == "main" else f"{self.agent.removeprefix('sub-')}: "
        return who + self.what.partition("\n")[0]


@record(frozen=True, slots=True)
class Answered:
    """A `reply` with more: the user's `word` to the model, the `rules` that an always adds in place of the proposals,
    the `editable` texts as the user changed them, or `first`: which of those who wait (from 1) is to be asked before."""

    reply: Reply = "no"
    word: str = ""
    rules: tuple[str, ...] = ()
    edited: Mapping[str, str] = field(default_factory=dict)
    first: int = 0


Ask = Callable[[Question], Awaitable[Answered | Reply | bool]]
"""Shows a question to the user and gives the answer."""


def oddities(command: str) -> Iterator[str]:
    """Yields the reasons why a command may look like another one than it is."""
    lines = command.strip("\n").count("\n") + 1
    if lines > 1:
        yield f"it has {lines} lines"
    scripts = {unicodedata.name(character, "?").split()[0] for character in command if character.isalpha()}
    if len(scripts) > 1:
        yield f"it has letters of several scripts, which may look alike: {', '.join(sorted(scripts)).lower()}"
    elif any(ord(character) > 126 for character in command):
        yield "it has characters that look like others"
