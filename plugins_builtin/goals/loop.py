"""The pursuit of a goal: turns, each with what still fails, until it is proved or something ends it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain, repeat

from agentic import AgenticError, Conversation, EndpointUnavailable
from agentic.events import RunFinished, UsageReported
from agentic.sessions import Session
from plugins_builtin.goals.fixed import fixed_files, hushes
from plugins_builtin.goals.goal import NO_TURN, Allowance, Goal, Try, events_of, files_of, keep
from plugins_builtin.goals.proof import GoalVerdict, looked_at

WAITS = (2.0, 5.0, 15.0, 30.0)  # seconds for a server that is away; the last one again and again
LOOK_SECONDS = 0.5
WORDS = {
    "proved": "the goal is proved",
    "budget": "the budget is spent",
    "stuck": "the same failure stands after several changed tries",
    "person": "only you can go on",
    "paused": "paused",
}
Say = Callable[[str], None]


class Pursuit:
    """The pursuit of one goal in a conversation. `ask` does a turn of the model, `say` tells the user."""

    def __init__(self, goal: Goal, conversation: Conversation, ask: Callable[[str], Awaitable[object]], say: Say) -> None:
        self.goal = goal
        self._conversation = conversation
        self._root = conversation.root
        self._ask = ask
        self._say = say

    async def run(self, anew: bool = False) -> Goal:
        """Until it ends; the goal as it stands then, which the session keeps. Raises AgenticError.

        `anew`: something is possible now that was not, so the same failures as before are no reason to stop.
        """
        self._count()
        if not self.goal.fixed and not self.goal.tries:
            checks = self.goal.checks
            self._keep(fixed=fixed_files(self._root, checks), hushed=hushes(self._root))
        self._keep(status="open", since=len(self.goal.tries) if anew else self.goal.since)
        try:
            while (ended := await self._step()) == "":
                pass
            self._keep(status=ended)
        except asyncio.CancelledError:
            self._keep(status="paused")
            raise
        return self.goal

    async def _step(self) -> str:
        """Looks, and does a turn where it is not proved; how the pursuit ends, "" where it goes on."""
        started = time.monotonic()
        left = self.goal.budget.seconds - self.goal.spent.seconds if self.goal.budget.seconds else None
        try:
            async with asyncio.timeout(left if left is None else max(LOOK_SECONDS, left)):
                verdict = await looked_at(self.goal, self._conversation, self._root)
        except TimeoutError:
            verdict = GoalVerdict(f"$ {'; '.join(self.goal.checks)}\nThey did not end within the budget.", (), {})
        self._spend(seconds=time.monotonic() - started)
        if not self.goal.tries:
            self._keep(counted={**verdict.counted, **self.goal.counted})
        self._keep(failing="\n".join(filter(None, [verdict.failing, *verdict.changed])))
        self._say(self._in_words(verdict))
        if verdict.proved:
            return "proved"
        if over := self.goal.over:
            self._say(f"the budget of {over} is spent: {self.goal.spent}")
            return "budget"
        if self.goal.is_stuck:
            return "stuck"
        return "person" if self.goal.is_idle else await self._turn(verdict)

    def _in_words(self, verdict: GoalVerdict) -> str:
        if verdict.proved:
            return f"proved: {'; '.join(self.goal.checks)}"
        lines = [line for line in verdict.failing.split("\n") if line.startswith("$ ")]
        return "\n".join([*(f"fails: {line[2:]}" for line in lines), *(f"does not count: {each}" for each in verdict.changed)])

    async def _turn(self, verdict: GoalVerdict) -> str:
        goal, session = self.goal, self._conversation.session
        changed = "".join(f"\nPut this back, or it does not count: {each}" for each in verdict.changed)
        words = {"goal": goal.text, "checks": "; ".join(goal.checks), "failing": verdict.failing or "nothing"}
        prompt = self._conversation.prompt("goal.turn", before=goal.ledger(), changed=changed, **words)
        since = _newest(session)
        self._spend(turns=1)
        self._keep(seen=since)
        try:
            with suppress(TimeoutError):  # what was done until then is looked at, and the goal ends
                await self._within_budget(prompt, since)
        except EndpointUnavailable as error:
            self._spend(turns=-1)
            self._count()
            return await self._away(error)
        finished = events_of(session, RunFinished, since)
        end = finished[-1] if finished else RunFinished(status="interrupted", result="")
        made = Try(self.goal.failing, files_of(session, since) or tuple(end.files), end.status, end.result)
        self._keep(tries=(*self.goal.tries, made))
        self._count()
        return "person" if end.status == "refused" and not made.files else ""

    async def _within_budget(self, prompt: str, since: int) -> None:
        """Does the turn; raises TimeoutError once its budget of time or tokens is spent."""
        budget, spent, session = self.goal.budget, self.goal.spent, self._conversation.session
        work = asyncio.ensure_future(self._ask(prompt))
        end = time.monotonic() + budget.seconds - spent.seconds if budget.seconds else float("inf")
        try:
            while not (await asyncio.wait({work}, timeout=LOOK_SECONDS))[0]:
                tokens = spent.tokens + _tokens(session, since)
                if time.monotonic() > end or (budget.tokens and tokens >= budget.tokens):
                    raise TimeoutError
            await work
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    async def _away(self, error: AgenticError) -> str:
        """Waits for a server that is away: it is no turn of the goal's."""
        self._say(f"{error}; trying again")
        waits = seconds_between()
        while not self.goal.over:
            wait = next(waits)
            await asyncio.sleep(wait)
            self._spend(seconds=wait)
            if any(not isinstance(info, str) for _, info in await self._conversation.served()):
                break
        return ""

    def _count(self) -> None:
        """Counts what the turn that was begun last has cost, also one that a kill cut off."""
        if self.goal.seen == NO_TURN:
            return
        session, seen = self._conversation.session, self.goal.seen
        times = [record.time for record in session.records(after=seen)] or [0.0]
        self._spend(tokens=_tokens(session, seen), seconds=max(0.0, times[-1] - times[0]))
        self._keep(seen=NO_TURN)

    def _spend(self, turns: int = 0, tokens: int = 0, seconds: float = 0.0) -> None:
        spent = self.goal.spent
        self._keep(spent=Allowance(spent.turns + turns, spent.tokens + tokens, spent.seconds + seconds))

    def _keep(self, **changed: object) -> None:
        self.goal = replace(self.goal, **changed)  # type: ignore[arg-type]
        keep(self._conversation.session, self.goal)


def seconds_between() -> Iterator[float]:
    """Yields how long to wait before each further look at a server that is away."""
    return chain(WAITS, repeat(WAITS[-1]))


def _newest(session: Session) -> int:
    return max((record.seq for record in session.records()), default=0)


def _tokens(session: Session, since: int) -> int:
    usages = events_of(session, UsageReported, since)
    return sum(usage.prompt_tokens - (usage.cached_tokens or 0) + usage.completion_tokens for usage in usages)
