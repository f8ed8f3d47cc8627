"""Attempts side by side, each until it is proved, has come to its end, or asks; each is looked at as it ends."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from agentic import AgenticError, Attempt, Event
from agentic.events import WorkflowEvent
from agentic.hooks.checks import JudgeVerdict
from agentic.lib.contents import contents_of
from plugins_builtin.attempts.contender import Contender
from plugins_builtin.attempts.events import AttemptJudged
from plugins_builtin.attempts.states import State

UNREADABLE = sys.maxsize  # failures of an attempt that cannot be judged


class Race:
    """`rounds`: how often one that fails goes on with what fails."""

    def __init__(self, contenders: Sequence[Contender], rounds: int, emit: Callable[[Event], Awaitable[None]]) -> None:
        self._contenders = contenders
        self._rounds = rounds
        self._emit = emit

    async def first_proved(self) -> Contender | None:
        """The first that its checks prove; nobody looks after the others then. None where none is, after all rounds."""
        tasks = {asyncio.ensure_future(self._is_proved(each)): each for each in self._contenders}
        try:
            waiting = set(tasks)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if task.result():
                        return tasks[task]
            return None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _is_proved(self, contender: Contender) -> bool:
        await contender.work(contender.attempt.run())
        return await self.is_repaired(contender)

    async def is_repaired(self, contender: Contender) -> bool:
        """Judges an attempt that ended or asks, and has it go on with what fails. What it was before is not forgotten."""
        verdict = await self._judged(contender)
        for _ in range(self._rounds):
            if contender.command or verdict.status == "done" or not verdict.word:
                break
            await contender.work(contender.attempt.go_on(verdict.word, verdict.files))
            verdict = await self._judged(contender)
        return not contender.command and verdict.status == "done"

    async def _judged(self, contender: Contender) -> JudgeVerdict:
        contender.states.append(await judgement_of(contender.attempt))
        agent = contender.attempt.agent.name
        judged = AttemptJudged(agent=agent, **fields_of(contender))
        await self._emit(judged)
        await self._emit(WorkflowEvent(node="attempt", message=judged.state, agent=agent))
        return contender.states[-1].verdict


async def judgement_of(attempt: Attempt) -> State:
    """The state that the attempt is in; one that cannot be judged is as bad as can be."""
    agent = attempt.agent
    try:
        verdict = await agent.judged()
    except AgenticError:
        verdict = JudgeVerdict("gave_up", failures=UNREADABLE)
    if verdict.status == "done" and not agent.changes:  # where nothing was done, nothing is proved
        verdict = replace(verdict, status="unchecked", matters=False)
    return State(verdict, contents_of(agent.workspace, agent.changes))


def fields_of(contender: Contender) -> dict[str, Any]:
    """The fields of `AttemptJudged`, of its last state."""
    verdict, usage = contender.states[-1].verdict if contender.states else JudgeVerdict("skipped"), contender.usage
    return {
        "number": contender.number,
        "status": "asks" if contender.command else verdict.status,
        "state": _in_words(verdict, contender.command),
        "failures": verdict.failures,
        "tests": verdict.tests,
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens or 0,
        "completion_tokens": usage.completion_tokens,
        "seconds": round(contender.seconds, 1),
    }


def _in_words(verdict: JudgeVerdict, command: str) -> str:
    if command:
        return f"waits to be allowed: {command}"
    if verdict.failures == UNREADABLE:
        return "cannot be checked"
    if verdict.tests[1]:
        return f"tests: {verdict.tests[0]} of {verdict.tests[1]} pass"
    by_status = {"done": "proved", "unchecked": "nothing tests it", "skipped": "stopped"}
    return by_status.get(verdict.status) or f"{verdict.failures} {'failure' if verdict.failures == 1 else 'failures'}"
