"""Whose turn it is to ask the user."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import field

from agentic.lib.questions import Answered, Reply
from agentic.lib.record import record


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


@contextmanager
def stopped(limit: asyncio.Timeout | None) -> Iterator[None]:
    """Meanwhile the time limit does not run, None being none."""
    end = limit.when() if limit else None
    if limit is None or end is None or limit.expired():
        yield
        return
    loop = asyncio.get_running_loop()
    left = end - loop.time()
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(loop.time() + left)
