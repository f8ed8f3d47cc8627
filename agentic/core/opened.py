"""The sub-agents that a fan-out opens, as it holds them."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.judge import Judge
from agentic.errors import ToolError
from agentic.hooks.agents import AgentKind
from agentic.hooks.checks import JudgeVerdict
from agentic.types import Change, Message, Outcome, Plan, ToolOutput, Usage

REPORT_AT = 0.8  # of a sub-agent's time, from when on its next turn is the last


class OpenedAgent:
    """A sub-agent as a fan-out holds it (`agentic.hooks.fan_out.SubAgent`)."""

    def __init__(self, agent: Agent, services: AgentServices, files: Sequence[str] = ()) -> None:
        self._agent = agent
        self._services = services
        self._files = files  # that the lead's task is about
        self._judge: Judge | None = None
        self._took: tuple[Change, ...] = ()
        self._wrong: tuple[str, Sequence[str]] | None = None  # what it begins anew with
        self.workspace = services.workspace
        self.history = agent.context.history
        self.name = agent.context.history.agent
        self.is_brief = agent.profile.brief
        self.tools = [spec.name for spec in agent.specs]

    @property
    def kind(self) -> AgentKind | None:
        return self._agent.tools.kind

    @property
    def task(self) -> str:
        return self._agent.task

    @property
    def messages(self) -> Sequence[Message]:
        return self._agent.history

    @property
    def last_words(self) -> str:
        return self._agent.last_words

    @property
    def usage(self) -> Usage:
        return self._agent.usage

    @property
    def changes(self) -> Mapping[str, Change]:
        return self._agent.tools.work.changes

    @property
    def ran(self) -> Mapping[str, ToolOutput]:
        return self._agent.tools.work.ran

    @property
    def did(self) -> str:
        return self._agent.tools.work.summary()

    @property
    def could_not_write(self) -> bool:
        return self._agent.tools.work.write_failed

    def start(self, task: str, opened: Message | None = None) -> None:
        services = self._services  # what is missing is seen before anything is changed
        self._judge = Judge(task, self._agent, services.proofs, services.prompts, services.workspace, may_ask=False)
        self._agent.start(task, files=self._files if opened is not None else (), opened=opened)
        for change in self._took:
            self._agent.tools.work.changed(change)

    def tell(self, text: str, files: Sequence[str] = ()) -> None:
        self._agent.sample_otherwise()
        self._wrong = (text, files) if files and self._agent.profile.restarts else None
        if self._wrong is None:
            self._agent.tell(text)

    def used(self, usage: Usage) -> None:
        self._agent.extra_usage += usage

    def took(self, changes: Mapping[str, Change]) -> None:
        self._took = tuple(changes.values())

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Raises TimeoutError once its time is up."""
        limits = self._services.approver.limits
        try:
            async with asyncio.timeout(seconds) as limits[self.name]:
                self._agent.has_to_end = lambda: _seconds_until(limits[self.name]) < (1 - REPORT_AT) * seconds
                yield
        finally:
            limits.pop(self.name, None)

    async def run(self) -> tuple[str, str]:
        """(status, its last words). Raises AgenticError when the model cannot be asked."""
        if self._wrong is not None:
            wrong, self._wrong = self._wrong, None
            await self._agent.restart(*wrong)
        return await self._agent.run()

    async def run_unasked(self, command: str) -> ToolOutput | None:
        return await self._agent.tools.run_unasked(command)

    async def judged(self) -> JudgeVerdict:
        assert self._judge is not None  # it was started
        return await self._judge.look()


def _seconds_until(limit: asyncio.Timeout) -> float:
    end = limit.when()
    return math.inf if end is None else end - asyncio.get_running_loop().time()


async def refuse(plan: Plan) -> Outcome:
    """The answer to a sub-agent that delegates. Raises ToolError."""
    raise ToolError("you are a sub-agent and cannot start others: do your part yourself")
