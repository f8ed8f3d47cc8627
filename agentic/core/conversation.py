"""One session's agent with all that it works with: `run` gives it one task, `chat` one after the other."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from agentic.core.adapters import HOOK, Record, protocol_of
from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.approval import Approver
from agentic.core.call_budget import CallBudget
from agentic.core.command_changes import CommandChanges
from agentic.core.guards import permissions_of, safeguards_of, sandbox_of, tools_of
from agentic.core.judge import Judge
from agentic.core.kinds import kind_named, kinds_of
from agentic.core.opening import system_message
from agentic.core.permissions import Remember
from agentic.core.proofs import Proofs
from agentic.core.roles import SMALL
from agentic.core.runtime import Runtime
from agentic.core.safeguards import Safeguards
from agentic.core.sandbox import Sandbox
from agentic.core.schemas import UncheckableError, problems
from agentic.core.sections import covered_files, frozen_sections
from agentic.core.service import PluginLlm, held_to
from agentic.core.sub_agents import SubAgents
from agentic.core.sub_agents.elsewhere import refuse_unfit, secrets_of
from agentic.core.toolbox import Toolbox, about_of
from agentic.core.workflow import Workflow
from agentic.errors import ModelOutputError, TrustError
from agentic.events import Event
from agentic.folders import cache_folder
from agentic.hooks.agents import AgentKind
from agentic.hooks.batching import Closes
from agentic.hooks.runner import Runner, RunnerSetup
from agentic.lib.children.jobs import Jobs
from agentic.lib.record import record
from agentic.lib.workspace import Workspace
from agentic.plugins.dispatcher import Dispatcher
from agentic.sessions import Blackboard, ConversationHistory, Session, name_session
from agentic.sessions.messages import flattened
from agentic.sessions.undo import Journal
from agentic.types import ChatRequest, ImagePart, Message, Outcome

MAX_CALLS = 1_000
TOKENS_A_CALL = 131  # of window: 1,000 calls at 131k


@record(frozen=True, slots=True)
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

    def __init__(self, runtime: Runtime, services: AgentServices, agent: Agent, sub_agents: SubAgents, protocol: str) -> None:
        self.runtime = runtime
        self._protocol = protocol
        self.workspace = services.workspace
        self.jobs = services.jobs
        self._services = services
        self.agent = agent
        self.sub_agents = sub_agents
        self._told_kind = ""
        sub_agents.belong_to(agent, services)

    @property
    def session(self) -> Session:
        return self.agent.context.history.session

    @property
    def kinds(self) -> Mapping[str, AgentKind]:
        """The kinds of agents that it can be of, by name."""
        return self._services.kinds

    def become(self, name: str) -> None:
        """The agent is of that kind from now on, "" for none. Raises ConfigError."""
        kind = kind_named(name, self.kinds) if name else None
        self.agent.tools.kind = kind
        self._told_kind = kind.text if kind is not None else self.runtime.prompts("chat.as_before")

    @classmethod
    @asynccontextmanager
    async def open(cls, runtime: Runtime, session: Session, approver: Approver) -> "AsyncIterator[Conversation]":
        """Goes on where `session` stopped, or begins it. Raises AgenticError when the model cannot be asked."""
        runner = runner_of(runtime, approver)
        keep_events(runtime, session)
        try:
            async with open_services(runtime, session, approver) as (services, sub_agents, blackboard):
                sub_agents.runner = runner
                agent = Agent(services, ConversationHistory(session, blackboard), services.calls.left)
                agent.context.news.append(services.jobs.news)
                services.proofs.run_command = agent.tools.run_command
                _adapt(agent, services, session, runtime.info.model, services.protocol)
                conversation = cls(runtime, services, agent, sub_agents, services.protocol)
                if name := runtime.settings.workflow.agent:
                    conversation.become(name)
                yield conversation
        finally:
            if isinstance(runner, Closes):
                await runner.aclose()

    async def warm(self) -> None:
        """Has the servers compute what every request of the session begins with, where they cache prefixes and do not hold it."""
        await self.runtime.llm.warm(self.agent.opening())

    def tell(self, text: str) -> None:
        """A word to the model, without the secrets in it."""
        self.agent.tell(self._services.masked(text))

    def attach(self, picture: ImagePart) -> None:
        """Goes along with the next task."""
        self.agent.openings.attached.append(picture)

    async def compact(self, focus: str = "") -> tuple[int, int]:
        """Goes on with the model's summary of what was said; (tokens before, tokens now). Raises AgenticError."""
        ask = self.runtime.prompts("chat.compact", focus=focus or "what is needed to go on")
        return await self.agent.context.summarise(ask, lambda messages: self.agent.request(messages, None))

    async def shaped(self, schema: Mapping[str, Any]) -> str:
        """What came of the task as JSON that the schema allows: the server is held to it, and it is checked here.

        Raises ModelOutputError where a second try is no better.
        """

        def make(messages: Sequence[Message]) -> ChatRequest:
            return ChatRequest(tuple(flattened(messages)), temperature=0.0, response_format=held_to(schema), purpose="result")

        ask = self.runtime.prompts("result.schema", schema=json.dumps(schema))
        wrong = ""
        for _ in range(2):
            text = await self.agent.context.aside(f"{ask}\n{wrong}".strip(), make)
            if not (wrong := _violation(text, schema)):
                return text
        raise ModelOutputError(f"the result is not what the schema allows: {wrong}", "a larger model, or a simpler schema")

    async def approve(self, mode: str) -> None:
        """From now on `mode` says what needs a question. Raises TrustError where nothing would hold commands."""
        if mode == "all":
            await _require_sandbox(self._services.approver.sandbox)
        self._services.approver.mode = mode

    async def work(self, task: str, may_ask: bool = True) -> Outcome:
        """One task's way through the workflow. `may_ask`: whether checks may be run that need a question."""
        runtime, session = self.runtime, self.session
        settings = runtime.settings
        added = await runtime.events.before_task(task, session.id, first=len(self.agent.history) < 2)
        if added.refused:
            return Outcome("refused", added.refused)
        told, self._told_kind = self._told_kind, ""
        self.agent.openings.added = self._services.masked("\n\n".join(filter(None, (told, added.text))))
        name_session(session, task)
        before = dict(self.agent.answers)
        judge = Judge(task, self.agent, self._services.proofs, runtime.prompts, self.workspace, may_ask)
        workflow = Workflow(
            task,
            self.agent,
            judge,
            self._services,
            settings,
            _limits(runtime)[1],
            PluginLlm(runtime.llm),
            PluginLlm(runtime.llm, SMALL),
            runtime.build("agentic_complexity_estimators", settings.complexity.estimator),
            lambda: runtime.build("agentic_decomposers", settings.decomposition.strategy),
            self.sub_agents,
        )
        self.workspace.written.clear()
        self.workspace.originals.clear()
        self._services.proofs.begin(task)
        kind = self.agent.tools.kind
        try:
            with self._services.approver.reading_only() if kind is not None and kind.reads_only else nullcontext():
                return await workflow.run()
        finally:
            made = {name: count - before.get(name, 0) for name, count in self.agent.answers.items()}
            Record().add(runtime.info, self._protocol, made)


@asynccontextmanager
async def open_services(
    runtime: Runtime, session: Session, approver: Approver, late_about: str | None = None
) -> AsyncIterator[tuple[AgentServices, SubAgents, Blackboard]]:
    """What the agents of `session` work with, and who carries out their plans. Raises AgenticError as `Conversation.open`.

    `late_about` is what the model is told that late tools are about, None for what those here are.
    """
    settings = runtime.settings
    blackboard = Blackboard(session)
    workspace = Workspace(runtime.root)
    workspace.journal = journal = Journal(session)
    snapshots: dict[Path, CommandChanges] = {}
    sub_agents = SubAgents(settings, lambda: runtime.build("agentic_fan_outs", settings.sub_agents.fan_out))
    toolbox = Toolbox(runtime.events)
    jobs = Jobs()
    safeguards = safeguards_of(runtime.host)
    sandbox = sandbox_of(runtime, safeguards)
    approver.sandbox, approver.remember = sandbox, Remember(settings)
    approver.permissions = permissions_of(settings, runtime.host, runtime.root, safeguards)
    sandbox.denied = approver.permissions.rules.denied_programs
    workspace.temporary = sandbox.temporary
    workspace.grants.needs_word = approver.permissions.needs_word
    sources = {name: source for name, source in runtime.every("agentic_tool_sources").items() if about_of(name, source)}
    about = ", ".join(about_of(name, source) for name, source in sources.items()) if late_about is None else late_about
    memory = SessionMemory(session, blackboard)
    tools = tools_of(runtime, memory, sub_agents.delegate, toolbox.find, about, sandbox, jobs, approver.ask_user)
    toolbox.open(tools, sources, about)
    background = []
    watcher = partial(_watcher, snapshots, safeguards, journal, runtime.events, jobs, sandbox)
    approver.permissions.unwatched = lambda: next(filter(None, (each.unwatched for each in snapshots.values())), "")
    if approver.mode == "all" or approver.can("execute"):
        background.append(asyncio.ensure_future(watcher(workspace).prepare()))
    try:
        if approver.mode == "all":
            await _require_sandbox(sandbox)
        protocol = await protocol_of(runtime, session)
        profile = runtime.build(HOOK, protocol).profile
        runtime.llm.profile = profile
        toolbox.list_for(profile, settings.tools.enabled, runtime.llm.budget.tier == "full")
        services = AgentServices(
            llm=runtime.llm,
            events=runtime.events,
            protocol=protocol,
            make_protocol=lambda: runtime.build(HOOK, protocol),
            toolbox=toolbox,
            strategy=runtime.build("agentic_context_strategies", settings.context.strategy),
            approver=approver,
            workspace=workspace,
            calls=CallBudget(_limits(runtime)[0]),
            prompts=runtime.prompts,
            proofs=Proofs(runtime.every("agentic_checkers"), workspace, approver, runtime.events),
            snapshots=watcher,
            instructions=frozen_sections(runtime, session),
            jobs=jobs,
            covered=covered_files(runtime),
            effort=_frozen(session, "effort", settings.llm.reasoning_effort),
            debug=settings.ui.debug,
            safeguards=safeguards if settings.tools.mask_secrets else None,
            kinds=kinds_of(runtime.host, runtime.root, runtime.events.warn),
        )
        yield services, sub_agents, blackboard
    finally:
        await toolbox.aclose()
        await jobs.aclose()
        for task in background:
            task.cancel()
        for each in snapshots.values():
            await each.settle()
            each.close()
        await sandbox.aclose()


def _violation(text: str, schema: Mapping[str, Any]) -> str:
    """What is wrong with it, "" for nothing."""
    try:
        found = problems(json.loads(text), schema)
    except ValueError as error:
        return f"it was no JSON: {error}"
    except UncheckableError as error:
        return f"the schema cannot be checked ({error})"
    return str(found[0].message) if found else ""


def runner_of(runtime: Runtime, approver: Approver) -> Runner | None:
    """Where parts of plans run, None for here. Raises ConfigError where they cannot run there."""
    settings = runtime.settings
    name = settings.sub_agents.runner
    if not name or not settings.sub_agents.enabled:
        return None
    from agentic.config.edit import toml_text

    secrets = {name: value if isinstance(value, str) else toml_text(value) for name, value in secrets_of(settings).values()}
    runner: Runner = runtime.host.build("agentic_runners", name, partial(runtime.setup, kind=RunnerSetup, secrets=secrets))
    refuse_unfit(runner, name, runtime.transport.endpoints, approver)
    return runner


async def _require_sandbox(sandbox: Sandbox) -> None:
    """For a mode in which nobody looks at commands. Raises TrustError."""
    await sandbox.ready()
    if not (sandbox.confines or sandbox.is_off):
        tried = "; ".join(f"{name}: {why}" for name, why in sandbox.refused.items()) or "no plugin offers one"
        raise TrustError(
            f"--approve all needs a sandbox, and none works here ({tried})", "--no-sandbox, if nothing has to hold them"
        )


def _watcher(
    known: dict[Path, CommandChanges],
    safeguards: Safeguards,
    journal: Journal,
    events: Dispatcher,
    jobs: Jobs,
    sandbox: Sandbox,
    space: Workspace,
) -> CommandChanges:
    """Of each folder one: a sub-agent's worktree is another, whose changes are journaled when they are merged."""
    if space.root not in known:
        held = partial(sandbox.held, space.root)
        kept = None if known else journal
        known[space.root] = CommandChanges(space, cache_folder(), safeguards, kept, events, jobs.running, held)
    return known[space.root]


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


def _limits(runtime: Runtime) -> tuple[int, float]:
    """(model calls, seconds) of a run: what is set, else what the window lets a model do."""
    settings, origins = runtime.settings.workflow, runtime.settings.origins
    calls, seconds = settings.max_iterations, float(settings.timeout_seconds)
    large = min(MAX_CALLS, runtime.llm.budget.window // TOKENS_A_CALL)
    if origins["workflow.max_iterations"] == "default" and large > calls:
        if origins["workflow.timeout_seconds"] == "default":
            seconds *= large / calls
        calls = large
    return calls, seconds


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
