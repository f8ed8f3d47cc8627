"""The parts of a large task: the one place that spawns, what each part is told, and one result of all."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentic.errors import AgenticError
from agentic.events import SubAgentFinished, SubAgentStarted
from agentic.hooks.batching import Lane
from agentic.run.agent import Agent, Means
from agentic.sessions import ConversationHistory
from agentic.types import Outcome, Plan, Subtask, Usage

MAX_SHOWN = 400  # characters of what a part produced, for those that build on it
_STATUS_WORDS = {"done": "done", "skipped": "not begun", "timeout": "out of time", "limit": "out of turns"}


@dataclass(slots=True)
class _Part:
    subtask: Subtask
    outcome: Outcome
    seconds: float = 0.0


class SubAgents:
    """Children of one agent. They have its system text and tools byte for byte, so their prompts begin in its cache."""

    def __init__(self, parent: Agent, means: Means, settings: Mapping[str, Any], task: str) -> None:
        self._parent = parent
        self._means = means
        self._turns = settings["sub_agents.subtask_max_iterations"]
        self._seconds = settings["sub_agents.timeout_seconds"]
        self._task = task
        self._parts: dict[str, _Part] = {}
        self._started = time.monotonic()

    async def spawn(self, subtask: Subtask) -> Outcome:
        """Does one part within its turns and its time; what was done by then is its outcome. Raises nothing but CancelledError."""
        name = f"sub-{subtask.id}"
        history = self._parent.context.history
        agent = Agent(
            self._means, ConversationHistory(history.session, history.blackboard, name), self._turns, name, Lane.SUB_AGENT
        )
        started = time.monotonic()
        await self._means.events.emit(SubAgentStarted(task=subtask.description, agent=name))
        status, result = "interrupted", ""
        try:
            async with asyncio.timeout(self._seconds):
                agent.start(self._told(subtask))
                status, result = await agent.run()
        except TimeoutError:
            status, result = "timeout", f"its {self._seconds:g} s were up; the last it said: {agent.last_words[:MAX_SHOWN]}"
        except AgenticError as error:
            status, result = "failed", str(error)
        finally:
            outcome = Outcome(status, result, tuple(dict.fromkeys(agent.tools.evidence.written)), agent.usage)
            self._parts[subtask.id] = _Part(subtask, outcome, time.monotonic() - started)
            self._means.leases.release(name)
            await self._means.events.emit(SubAgentFinished(status=status, agent=name))
        return outcome

    def _told(self, subtask: Subtask) -> str:
        """All that is its own stands in the newest message: what comes before is the same for every child."""
        rules = [
            f"You do one part of a larger task, and only that part. The larger task: {self._task}",
            f"Write only: {', '.join(subtask.writes)}" if subtask.writes else "",
            f"Output: {subtask.output}" if subtask.output else "",
            f"It is done when: {subtask.done_check}" if subtask.done_check else "",
            f"You have {self._turns} turns; say at the end what you did and what is missing.",
        ]
        before = [
            f"- {part.subtask.title} ({_told_status(part.outcome)}):"
            f" {part.outcome.result[:MAX_SHOWN]}" + (f" Files: {', '.join(part.outcome.files)}" if part.outcome.files else "")
            for name in subtask.depends_on
            if (part := self._parts.get(name)) is not None
        ]
        parts = [subtask.description, *filter(None, rules)]
        return "\n".join([*parts, "What it builds on:", *before] if before else parts)

    def aggregate(self, plan: Plan, outcomes: Sequence[Outcome]) -> Outcome:
        """One result: what was done by whom, what was not and why, and whether it paid to split."""
        pairs = list(zip(plan.subtasks, outcomes, strict=True))
        lines = [f"{subtask.title} ({_told_status(outcome)}): {outcome.result}".strip() for subtask, outcome in pairs]
        files = tuple(dict.fromkeys(path for _, outcome in pairs for path in outcome.files))
        missing = [subtask.title for subtask, outcome in pairs if outcome.status != "done"]
        if missing:
            lines.append(f"Not done: {', '.join(missing)}.")
        lines.append(self._whether_it_paid())
        usage = sum((outcome.usage for outcome in outcomes), Usage())
        return Outcome("gave_up" if missing else "done", "\n".join(lines), files, usage)

    def _whether_it_paid(self) -> str:
        seconds, together = sum(part.seconds for part in self._parts.values()), time.monotonic() - self._started
        usage = sum((part.outcome.usage for part in self._parts.values()), Usage())
        cached = f", {usage.cached_tokens:,} of them from cache" if usage.cached_tokens is not None else ""
        tokens = f"{usage.prompt_tokens:,} prompt tokens{cached}"
        return f"({len(self._parts)} sub-agents: {together:.1f} s, one after the other {seconds:.1f} s; {tokens})"


def _told_status(outcome: Outcome) -> str:
    return _STATUS_WORDS.get(outcome.status, outcome.status)
