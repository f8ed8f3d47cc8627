"""One session's agent with all that it works with: `run` gives it one task, `chat` one after the other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentic.events import Event, Warned
from agentic.hooks.batching import Warms
from agentic.run.agent import Agent, Means
from agentic.run.approval import Approver
from agentic.run.budget import Budget
from agentic.run.context import ContextMeans
from agentic.run.llm import BatcherLlm
from agentic.run.prompt import project_instructions, system_message
from agentic.run.protocols import by_name
from agentic.run.protocols.choose import Record, choose
from agentic.run.runtime import Runtime, state_folder
from agentic.run.sub_agents import SubAgents
from agentic.run.tokens import TokenCounter
from agentic.run.turns import Turns
from agentic.run.workflow import Workflow
from agentic.sessions import Blackboard, ConversationHistory, Session
from agentic.sessions.messages import flattened
from agentic.sessions.undo import Journal
from agentic.types import Outcome
from agentic.workspace import Workspace

MAX_TITLE = 80


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

    def __init__(self, runtime: Runtime, means: Means, agent: Agent, sub_agents: SubAgents) -> None:
        self._runtime = runtime
        self.workspace = means.workspace
        self._means = means
        self.agent = agent
        self.sub_agents = sub_agents
        sub_agents.belong_to(agent, means)

    @classmethod
    async def open(cls, runtime: Runtime, root: Path, session: Session, approver: Approver) -> "Conversation":
        """Goes on where `session` stopped, or begins it. Raises AgenticError when the model cannot be asked."""
        settings = runtime.settings
        keep_events(runtime, session)
        history = ConversationHistory(session)
        workspace = Workspace(root)
        workspace.journal = Journal(session)
        protocol = await _protocol(runtime, session)
        context = context_means(runtime, exact=True)
        instructions = _frozen_instructions(session, root, context.budget)
        temperature = settings["llm.temperature"]
        sub_agents = SubAgents(settings, lambda: runtime.build("agentic_fan_outs", "sub_agents.fan_out"))
        means = Means(
            batcher=runtime.batcher,
            events=runtime.events,
            protocol=protocol,
            tools=runtime.tools(SessionMemory(session, history.blackboard), sub_agents.delegate),
            context=context,
            approver=approver,
            workspace=workspace,
            turns=Turns(settings["workflow.max_iterations"]),
            instructions=instructions[0],
            temperature=temperature if temperature >= 0 else None,
            effort=_frozen(session, "effort", settings["llm.reasoning_effort"]),
        )
        for line in (session.fault, instructions[1]):
            if line:
                await runtime.events.emit(Warned(message=line))
        agent = Agent(means, history, settings["workflow.max_iterations"])
        _adapt(agent, means, session, runtime.info.model)
        return cls(runtime, means, agent, sub_agents)

    async def warm(self) -> None:
        """Has the servers compute what every request of the session begins with, where they cache prefixes and do not hold it."""
        settings, batcher = self._runtime.settings, self._runtime.batcher
        wanted = settings["llm.vllm.enable_prefix_caching"] and "system_prompt" in settings["llm.vllm.common_prefixes"]
        if wanted and isinstance(batcher, Warms):
            await batcher.warm(self.agent.opening())

    async def work(self, task: str) -> Outcome:
        """One task's way through the workflow."""
        runtime, session = self._runtime, self.agent.context.history.session
        name_session(session, task)
        before = dict(self.agent.turns)
        workflow = Workflow(
            task,
            self.agent,
            self._means,
            runtime.settings,
            self._means.context.llm,
            runtime.build("agentic_complexity_estimators", "complexity.estimator"),
            lambda: runtime.build("agentic_decomposers", "decomposition.strategy"),
            self.sub_agents,
        )
        self.workspace.written.clear()
        try:
            return await workflow.run()
        finally:
            made = {name: count - before.get(name, 0) for name, count in self.agent.turns.items()}
            Record(state_folder() / "protocols.json").add(runtime.info, self._means.protocol, made)
            if session.fault:
                await runtime.events.emit(Warned(message=session.fault))


def context_means(runtime: Runtime, exact: bool) -> ContextMeans:
    """`exact`: prompts are counted by the server where it can; else estimated, which costs no call."""
    settings = runtime.settings
    budget = Budget(settings["context.context_window"] or runtime.info.window, settings["context.reserved_for_response"])
    counter = TokenCounter(runtime.transport if exact else None, runtime.info.model)
    return ContextMeans(
        strategy=runtime.build("agentic_context_strategies", "context.strategy"),
        budget=budget,
        counter=counter,
        llm=BatcherLlm(runtime.batcher, budget, counter),
        report=settings["ui.debug"],
    )


def name_session(session: Session, said: str) -> None:
    """After the first thing that was said in it."""
    if not session.fact("title"):
        session.set_fact("title", " ".join(said.split())[:MAX_TITLE])


def keep_events(runtime: Runtime, session: Session) -> None:
    """From now on the session keeps what happens."""

    def journal(event: Event) -> None:
        session.append("event", event.as_dict(), event.agent)

    runtime.events.journal = journal


def _frozen(session: Session, name: str, now: Any) -> str:
    """The session's value; `now`'s, where it has none yet."""
    if not session.fact(f"frozen:{name}"):
        session.set_fact(f"frozen:{name}", f"={now}")
    return session.fact(f"frozen:{name}")[1:]


def _frozen_instructions(session: Session, root: Path, budget: Budget) -> tuple[str, str]:
    text, word = project_instructions(root, budget.instructions)
    return _frozen(session, "instructions", text), word


async def _protocol(runtime: Runtime, session: Session) -> str:
    """What the user set; else what the session began with on this model; else what the model can do."""
    name: str = runtime.settings["tools.protocol"]
    if name != "auto":
        return name
    if session.fact("model") == runtime.info.model and session.fact("protocol"):
        return session.fact("protocol")
    return await choose(runtime.info, runtime.batcher, Record(state_folder() / "protocols.json"))


def _adapt(agent: Agent, means: Means, session: Session, model: str) -> None:
    """A history that another model made, or another window, begins with the present one's system text."""
    was, tier = session.fact("protocol"), means.context.budget.tier
    begun = agent.history[0].role == "system"  # `ask` does without
    if not begun or (was and (was, session.fact("tier")) != (means.protocol, tier)):
        system = system_message(by_name(means.protocol), agent.specs, tier, means.instructions)
        rest = agent.history[begun:]
        agent.context.history.rewrite([system, *(rest if was == means.protocol else flattened(rest))])
    for name, value in (("protocol", means.protocol), ("tier", tier), ("model", model)):
        session.set_fact(name, value)
