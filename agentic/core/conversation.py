"""One session's agent with all that it works with: `run` gives it one task, `chat` one after the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from agentic.core.agent import Agent, AgentServices
from agentic.core.approval import Approver
from agentic.core.call_budget import CallBudget
from agentic.core.prompt import system_message
from agentic.core.protocols import by_name
from agentic.core.protocols.choose import Record, choose
from agentic.core.runtime import Runtime, state_folder
from agentic.core.sections import covered_files, frozen_sections
from agentic.core.service import PluginLlm
from agentic.core.sub_agents import SubAgents
from agentic.core.toolbox import Toolbox
from agentic.core.workflow import Workflow
from agentic.events import Event, Warned
from agentic.sessions import Blackboard, ConversationHistory, Session, name_session
from agentic.sessions.messages import flattened
from agentic.sessions.undo import Journal
from agentic.types import Outcome
from agentic.workspace import Workspace


@dataclass(frozen=True, slots=True)
class SessionMemory:
    """What tools may know of the session."""

    session: Session
    blackboard: Blackboard

    def share(self, key: str, value: str, by: str) -> None:
        self.blackboard.share(key, value, by)

    def recall(self, name: str) -> str | None:
        content = self.session.content(name)
        return content.decode("utf-8", "replace") if content is not None else None


class Conversation:
    """Tasks for the agent of one session. What is frozen per session (protocol, system text, effort) is as the session began."""

    def __init__(self, runtime: Runtime, services: AgentServices, agent: Agent, sub_agents: SubAgents) -> None:
        self._runtime = runtime
        self.workspace = services.workspace
        self._services = services
        self.agent = agent
        self.sub_agents = sub_agents
        sub_agents.belong_to(agent, services)

    @classmethod
    @asynccontextmanager
    async def open(cls, runtime: Runtime, session: Session, approver: Approver) -> "AsyncIterator[Conversation]":
        """Goes on where `session` stopped, or begins it. Raises AgenticError when the model cannot be asked."""
        settings = runtime.settings
        keep_events(runtime, session)
        history = ConversationHistory(session)
        workspace = Workspace(runtime.root)
        workspace.journal = Journal(session)
        sub_agents = SubAgents(settings.sub_agents, lambda: runtime.build("agentic_fan_outs", settings.sub_agents.fan_out))
        toolbox = Toolbox(runtime.events)
        tools = runtime.tools(SessionMemory(session, history.blackboard), sub_agents.delegate, toolbox.find)
        toolbox.open(tools, runtime.tool_sources())
        try:
            services = AgentServices(
                llm=runtime.llm,
                events=runtime.events,
                protocol=await _protocol(runtime, session),
                toolbox=toolbox,
                strategy=runtime.build("agentic_context_strategies", settings.context.strategy),
                approver=approver,
                workspace=workspace,
                calls=CallBudget(settings.workflow.max_iterations),
                instructions=frozen_sections(runtime, session),
                covered=covered_files(runtime),
                effort=_frozen(session, "effort", settings.llm.reasoning_effort),
                debug=settings.ui.debug,
            )
            if session.fault:
                await runtime.events.emit(Warned(message=session.fault))
            agent = Agent(services, history, settings.workflow.max_iterations)
            _adapt(agent, services, session, runtime.info.model)
            yield cls(runtime, services, agent, sub_agents)
        finally:
            await toolbox.aclose()

    async def warm(self) -> None:
        """Has the servers compute what every request of the session begins with, where they cache prefixes and do not hold it."""
        await self._runtime.llm.warm(self.agent.opening())

    async def work(self, task: str) -> Outcome:
        """One task's way through the workflow."""
        runtime, session = self._runtime, self.agent.context.history.session
        settings = runtime.settings
        name_session(session, task)
        before = dict(self.agent.answers)
        workflow = Workflow(
            task,
            self.agent,
            self._services,
            settings,
            PluginLlm(runtime.llm),
            runtime.build("agentic_complexity_estimators", settings.complexity.estimator),
            lambda: runtime.build("agentic_decomposers", settings.decomposition.strategy),
            self.sub_agents,
        )
        self.workspace.written.clear()
        try:
            return await workflow.run()
        finally:
            made = {name: count - before.get(name, 0) for name, count in self.agent.answers.items()}
            Record(state_folder() / "protocols.json").add(runtime.info, self._services.protocol, made)
            if session.fault:
                await runtime.events.emit(Warned(message=session.fault))


def keep_events(runtime: Runtime, session: Session) -> None:
    """From now on the session keeps what happens."""

    def journal(event: Event) -> None:
        session.append("event", event.as_dict(), event.agent)

    runtime.events.journal = journal


def _frozen(session: Session, name: str, now: Any) -> str:
    """The session's value; `now`'s, where it has none yet."""
    if not session.has_metadata(f"frozen:{name}"):
        session.set_metadata(f"frozen:{name}", str(now))
    return session.metadata(f"frozen:{name}")


async def _protocol(runtime: Runtime, session: Session) -> str:
    """What the user set; else what the session began with on this model; else what the model can do."""
    name = runtime.settings.tools.protocol
    if name != "auto":
        return name
    if session.metadata("model") == runtime.info.model and session.metadata("protocol"):
        return session.metadata("protocol")
    return await choose(runtime.info, runtime.llm, Record(state_folder() / "protocols.json"))


def _adapt(agent: Agent, services: AgentServices, session: Session, model: str) -> None:
    """A history that another model made, or another window, begins with the present one's system text."""
    was, tier = session.metadata("protocol"), services.llm.budget.tier
    begun = agent.history[0].role == "system"  # `ask` does without
    if not begun or (was and (was, session.metadata("tier")) != (services.protocol, tier)):
        system = system_message(by_name(services.protocol), agent.specs, tier, services.instructions)
        rest = agent.history[begun:]
        agent.context.history.rewrite([system, *(rest if was == services.protocol else flattened(rest))])
    for name, value in (("protocol", services.protocol), ("tier", tier), ("model", model)):
        session.set_metadata(name, value)
