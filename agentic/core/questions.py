"""Questions to the user: what they show, what they are answered with, and whose turn it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
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


def answered(reply: Answered | Reply | bool) -> Answered:
    """An answer in its full form."""
    if isinstance(reply, bool):
        return Answered("once" if reply else "no")
    return reply if isinstance(reply, Answered) else Answered(reply)


class Edited(Exception):
    """The user changed what is to be done: it has to be looked at, and asked about, as changed."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self.texts = texts


class Turns:
    """Puts one question at a time, in the order they came, unless the user wants another one first."""

    def __init__(self) -> None:
        self._places: list[Place] = []

    @asynccontextmanager
    async def wait(self, what: str) -> AsyncIterator["Place"]:
        """Until it is this one's turn."""
        place = Place(what)
        self._places.append(place)
        self._call_first()
        try:
            await place.turn.wait()
            yield place
        finally:
            self._places.remove(place)
            self._call_first()

    def others(self, place: "Place") -> tuple[str, ...]:
        """Returns the `what` of each question that waits behind this one."""
        return tuple(each.what for each in self._places if each is not place)

    async def let_first(self, place: "Place", number: int) -> None:
        """Puts the `number`-th of the others before it, and waits for the turn to come back."""
        others = [each for each in self._places if each is not place]
        chosen = others.pop(number - 1)
        self._places[:] = [chosen, place, *others]
        place.turn.clear()
        self._call_first()
        await place.turn.wait()

    def _call_first(self) -> None:
        if self._places:
            self._places[0].turn.set()


@record(eq=False, slots=True)
class Place:
    """A question that waits for its turn."""

    what: str
    turn: asyncio.Event = field(default_factory=asyncio.Event)
