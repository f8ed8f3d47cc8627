"""A session's agent with all that it works with: `run` gives it one task, `chat` one after the other."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from agentic.config import Settings
from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.approval import ApprovalMode
from agentic.core.delegation import Delegation, delegation_of
from agentic.core.judge import Judge
from agentic.core.kinds import kind_named
from agentic.core.opening import system_message
from agentic.core.roles import SMALL
from agentic.core.runs import announce_start, carry_out
from agentic.core.runtime import Runtime
from agentic.core.service import PluginLlm
from agentic.core.session import PROTOCOLS, further_root, limits_of, open_services, require_sandbox
from agentic.core.shaped import shaped
from agentic.core.workflow import Planning, Workflow
from agentic.errors import AgenticError
from agentic.events import ContextReport, EndpointSeen, Event
from agentic.hooks.agents import AgentKind
from agentic.hooks.batching import Watches
from agentic.hooks.chat import Chat, ChatCommand, ConversationOpening
from agentic.lib.messages import flattened
from agentic.plugins.slash import SlashCommands
from agentic.sessions import ConversationHistory, Session, name_session
from agentic.sessions.undo import keep_further_roots
from agentic.types import EndpointInfo, ImagePart, Outcome, Plan, ToolOutput


class OpenConversation:
    """Tasks for the agent of one session (`agentic.hooks.chat.Conversation`).

    What is frozen per session (protocol, system text, effort) is as the session began.
    """

    def __init__(self, runtime: Runtime, services: AgentServices, agent: Agent, delegation: Delegation) -> None:
        self.runtime = runtime
        self.workspace = services.workspace
        self.jobs = services.jobs
        self.agent = agent
        self.delegation = delegation
        self._services = services
        self._told_kind = ""
        self._models: set[str] = set()
        self._slash = SlashCommands(runtime.host, runtime.root, runtime.events.warn)
        if name := runtime.settings.workflow.agent:
            self.become(name)

    @property
    def session(self) -> Session:
        return self.agent.context.history.session

    @property
    def root(self) -> Path:
        return self.runtime.root

    @property
    def settings(self) -> Settings:
        return self.runtime.settings

    @property
    def length(self) -> int:
        return len(self.agent.history)

    @property
    def last_words(self) -> str:
        return self.agent.last_words

    @property
    def models(self) -> list[str]:
        return sorted(self._models)

    @property
    def mode(self) -> str:
        return self._services.approver.mode

    @property
    def rules(self) -> list[tuple[str, str, str]]:
        return self._services.approver.policy.rules()

    @property
    def kind(self) -> AgentKind | None:
        return self.agent.tools.kind

    @property
    def kinds(self) -> Mapping[str, AgentKind]:
        return self._services.kinds

    def become(self, name: str) -> None:
        kind = kind_named(name, self.kinds) if name else None
        self.agent.tools.kind = kind
        self._told_kind = kind.text if kind is not None else self.runtime.prompts("chat.as_before")

    @classmethod
    @asynccontextmanager
    async def open(cls, runtime: Runtime, session: Session, approval: ApprovalMode) -> "AsyncIterator[OpenConversation]":
        """Goes on where `session` stopped, or begins it. Raises AgenticError when the model cannot be asked."""

        async def delegate(plan: Plan) -> Outcome:
            return await delegation.delegate(plan)

        async def run_command(command: str, check: str = "") -> ToolOutput:
            return await agent.tools.run_command(command, check)

        def keep(event: Event) -> None:
            session.append("event", event.as_dict(), event.agent)

        with runtime.events.kept_by(keep):
            async with open_services(runtime, session, approval, delegate, run_command) as (services, blackboard):
                agent = Agent(services, ConversationHistory(session, blackboard), services.calls.left)
                _adapt(agent, services, session, runtime.info.model, services.protocol)
                delegation = delegation_of(runtime, agent, services)
                try:
                    yield cls(runtime, services, agent, delegation)
                finally:
                    await delegation.aclose()

    @property
    def model(self) -> EndpointInfo:
        return self.runtime.info

    def prompt(self, name: str, **values: str) -> str:
        return self.runtime.prompts(name, **values)

    def context(self) -> ContextReport:
        return self.agent.context.report(self.agent.specs)

    def rewind(self, since: int) -> None:
        self.agent.context.history.rewind(since)

    def steer(self, take: Callable[[], str]) -> None:
        self.agent.context.news.append(take)

    async def opening(self) -> ConversationOpening:
        request, llm = self.agent.opening(), self._services.llm
        system = request.messages[0].text
        whole = (await llm.prepare(request)).tokens
        return ConversationOpening(system, request.tools, whole, (await llm.tokens_of(system)) if request.tools else whole)

    async def announce(self, command: str) -> None:
        await announce_start(self.runtime, self.session, command, "")

    def note(self, event: Event) -> None:
        self.runtime.events.note(event)

    def show(self, event: Event) -> None:
        self.runtime.events.show(event)

    async def emit(self, event: Event) -> None:
        await self.runtime.events.emit(event)

    async def run_command(self, command: str) -> ToolOutput:
        return await self.agent.tools.run_command(command)

    async def endpoints(self) -> list[EndpointSeen]:
        batcher = self.runtime.batcher
        return await batcher.look() if isinstance(batcher, Watches) else []

    async def served(self) -> list[tuple[str, EndpointInfo | str]]:
        found: list[tuple[str, EndpointInfo | str]] = []
        for url in self.runtime.transport.endpoints:
            try:
                info = await self.runtime.transport.probe(url)
            except AgenticError as error:
                found.append((url, str(error)))
            else:
                self._models |= {*info.served}
                found.append((url, info))
        return found

    def slash_commands(self) -> dict[str, ChatCommand]:
        return {name: command for name, (_, command) in self._slash.look().items()}

    async def run_slash(self, name: str, argument: str, chat: Chat) -> None:
        await self._slash.run(name, argument, chat)

    def complete_slash(self, name: str, argument: str, chat: Chat) -> list[str]:
        return self._slash.complete(name, argument, chat)

    async def warm(self) -> None:
        await self._services.llm.warm(self.agent.opening())

    def add_root(self, folder: str) -> Path:
        roots = self.workspace.grants.roots
        root = further_root(self.root, folder)
        if root not in roots:
            roots.append(root)
            keep_further_roots(self.session, roots)
        return root

    def tell(self, text: str) -> None:
        self.agent.tell(self._services.masked(text))

    def attach(self, picture: ImagePart) -> None:
        self.agent.openings.attached.append(picture)

    async def compact(self, focus: str = "") -> tuple[int, int]:
        ask = self.runtime.prompts("chat.compact", focus=focus or "what is needed to go on")
        return await self.agent.context.summarise(ask, self.agent.request)

    async def shaped(self, schema: Mapping[str, Any]) -> str:
        """Returns the task's result as JSON that the schema allows. Raises ModelOutputError where a second try is no better."""
        return await shaped(self.agent.context, self.runtime.prompts, schema)

    def reading_only(self) -> AbstractContextManager[None]:
        return self._services.approver.reading_only()

    async def approve(self, mode: str) -> None:
        if mode == "all":
            await require_sandbox(self._services.approver.launcher)
        self._services.approver.mode = mode

    async def turn(self, task: str, command: str = "chat", may_ask: bool = True) -> None:
        await carry_out(self.runtime, self.session, command, task, self.work(task, may_ask))

    def _planning(self) -> Planning:
        runtime, settings, llm = self.runtime, self.runtime.settings, self._services.llm
        return Planning(
            settings,
            limits_of(runtime)[1],
            PluginLlm(llm),
            PluginLlm(llm, SMALL),
            runtime.build("agentic_complexity_estimators", settings.complexity.estimator),
            lambda: runtime.build("agentic_decomposers", settings.decomposition.strategy),
        )

    async def work(self, task: str, may_ask: bool = True) -> Outcome:
        """A task's way through the workflow. `may_ask`: whether checks may be run that need a question."""
        runtime, session = self.runtime, self.session
        added = await runtime.events.before_task(task, session.id, first=len(self.agent.history) < 2)
        if added.refused:
            return Outcome("refused", added.refused)
        told, self._told_kind = self._told_kind, ""
        self.agent.openings.added = self._services.masked("\n\n".join(filter(None, (told, added.text))))
        name_session(session, task)
        before = dict(self.agent.answers)
        judge = Judge(task, self.agent, self._services.proofs, runtime.prompts, self.workspace, may_ask)
        workflow = Workflow(task, self.agent, judge, self._services, self._planning(), self.delegation)
        self.workspace.written.clear()
        self.workspace.originals.clear()
        self._services.proofs.begin(task)
        kind = self.agent.tools.kind
        try:
            with self._services.approver.reading_only() if kind is not None and kind.reads_only else nullcontext():
                return await workflow.run()
        finally:
            made = {name: count - before.get(name, 0) for name, count in self.agent.answers.items()}
            runtime.host.learn(PROTOCOLS, runtime.info, self._services.protocol, made)


def _adapt(agent: Agent, services: AgentServices, session: Session, model: str, protocol: str) -> None:
    """A history that another model made, or another window, begins with the present one's system text."""
    was, tier = session.metadata("protocol"), services.llm.budget.tier
    begun = agent.history[0].role == "system"  # `ask` does without
    if not begun or (was and (was, session.metadata("tier")) != (protocol, tier)):
        system = system_message(services.prompts, services.make_protocol(), agent.specs, tier, services.instructions)
        rest = agent.history[begun:]
        agent.context.history.rewrite([system, *(rest if was == protocol else flattened(rest))])
    for name, value in (("protocol", protocol), ("tier", tier), ("model", model)):
        session.set_metadata(name, value)
