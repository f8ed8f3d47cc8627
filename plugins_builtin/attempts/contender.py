"""An attempt as it goes on: its states so far, and the question that it waits with."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import field
from typing import Any

from agentic import Answered, Attempt, Outcome, Question, Usage
from agentic.hooks.fan_out import Lead
from agentic.lib.record import record
from plugins_builtin.attempts.states import State, best_of


class FirstQuestion:
    """Whom an attempt asks: its first question waits until it is known which attempt is taken, those after it go to the user."""

    def __init__(self, lead: Lead) -> None:
        self._lead = lead
        self._answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self.came = asyncio.Event()
        self.question: Question | None = None

    async def __call__(self, question: Question) -> Answered:
        if self._answer.done():
            return await self._lead.ask(question)
        self.question = self.question or question
        self.came.set()
        return await asyncio.shield(self._answer)

    def answer(self, answered: Answered) -> None:
        """The attempt goes on."""
        self.question = None
        self.came.clear()
        self._answer.set_result(answered)


@record(slots=True)
class Contender:
    """An attempt by its number, with its states so far. `asks` holds the question that it waits with."""

    number: int
    attempt: Attempt
    asks: FirstQuestion
    outcome: Outcome = Outcome("skipped", "")
    states: list[State] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    _working: "asyncio.Future[Outcome] | None" = None

    @property
    def best(self) -> State:
        """The best of its states, the earlier of equals."""
        return best_of(self.states)

    @property
    def size(self) -> int:
        """Bytes of the files that it changed."""
        return sum(len(data or b"") for data in self.best.files.values())

    @property
    def command(self) -> str:
        """The command that it waits with, "" where it waits for nothing."""
        question = self.asks.question
        return (question.body or question.what) if question is not None else ""

    @property
    def usage(self) -> Usage:
        return self.attempt.agent.usage

    async def work(self, work: Coroutine[Any, Any, Outcome]) -> None:
        """Until it has come to an end, or asks its first question: then it waits."""
        self._working = asyncio.ensure_future(work)
        await self.go_on()

    async def go_on(self) -> None:
        """The same for one that has waited."""
        assert self._working is not None
        came = asyncio.ensure_future(self.asks.came.wait())
        either: set[asyncio.Future[Any]] = {self._working, came}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            came.cancel()
            self.seconds = time.monotonic() - self.started
        if self._working.done():
            self.outcome = self._working.result()

    async def stop(self) -> None:
        """Ends its work, wherever that is."""
        if self._working is not None and not self._working.done():
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working
