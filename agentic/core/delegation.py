"""Plans carried out by the fan-out that is selected: the agents that it opens, and the agent whose plan it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.kinds import kind_named, within
from agentic.core.opened import OpenedAgent, refuse
from agentic.core.runtime import Runtime
from agentic.core.service import PluginLlm
from agentic.errors import AgenticError, ConfigError, PluginError, ToolError
from agentic.events import EndpointSeen, Event
from agentic.hooks.batching import Batcher, Lane, Watches
from agentic.hooks.checks import JudgeVerdict
from agentic.hooks.fan_out import CallBudget, CarriesOut, FanOut, FanOutSetup, TakesTasks
from agentic.hooks.tools import CALLER
from agentic.lib.questions import Answered, Ask, Question
from agentic.lib.workspace import Workspace
from agentic.sessions import ConversationHistory
from agentic.types import Change, EndpointInfo, Message, Outcome, Plan, Sampling, ToolOutput


class LeadAgent:
    """The agent whose plans are carried out, as a fan-out holds it (`agentic.hooks.fan_out.Lead`)."""

    def __init__(
        self, agent: Agent, services: AgentServices, model: EndpointInfo, endpoints: Sequence[str], batcher: Batcher
    ) -> None:
        self._agent = agent
        self._services = services
        self._batcher = batcher
        self.history = agent.context.history
        self.workspace = services.workspace
        self.kinds = services.kinds
        self.calls: CallBudget = services.calls
        self.model = replace(model, window=services.llm.budget.window)
        self.protocol, self.tier, self.effort = services.protocol, services.llm.budget.tier, services.effort
        self.late, self.restarts = services.toolbox.about, agent.profile.restarts
        self.llm = PluginLlm(services.llm)
        self.endpoints = endpoints

    @property
    def opening(self) -> Message:
        return self._agent.opened

    @property
    def before(self) -> Sequence[Message]:
        return self._agent.before

    @property
    def messages(self) -> Sequence[Message]:
        return self._agent.history

    async def ask(self, question: Question) -> Answered:
        return await self._services.approver.put(question)

    async def seen(self) -> list[EndpointSeen]:
        return await self._batcher.look() if isinstance(self._batcher, Watches) else []

    async def restart(self, word: str = "", files: Sequence[str] = ()) -> None:
        await self._agent.restart(word, files)

    @property
    def mode(self) -> str:
        return self._services.approver.mode

    @property
    def asks(self) -> bool:
        return self._services.approver.asks

    @property
    def may_run(self) -> bool:
        return self._services.approver.can("execute")

    async def may_write(self, what: str) -> str:
        return await self._services.approver.may_do(what, "write")

    def open(
        self,
        history: ConversationHistory,
        workspace: Workspace,
        turns: int,
        agent: str = "",
        sampling: Sampling | None = None,
        ask: Ask | None = None,
    ) -> OpenedAgent:
        async def run_command(command: str, check: str = "") -> ToolOutput:
            return await opened.tools.run_command(command, check)

        services = replace(self._services, workspace=workspace, sampling=sampling or self._services.sampling)
        if ask is not None and services.approver.has_user:
            services.approver.others[history.agent] = approver = services.approver.asking(ask)
            services = replace(services, approver=approver)
        if workspace.root != self.workspace.root:
            services = replace(services, proofs=services.proofs.of(workspace, run_command, services.approver))
        opened = Agent(services, history, turns, Lane.SUB_AGENT)
        opened.tools.kind = within(self._agent.tools.kind, self.kinds.get(agent))
        return OpenedAgent(opened, services, self._agent.files)

    async def emit(self, event: Event) -> None:
        await self._services.events.emit(event)

    def complain(self, error: Exception) -> None:
        self._services.events.complain(error if isinstance(error, AgenticError) else AgenticError(str(error)))

    async def run_command(self, command: str) -> ToolOutput:
        return await self._agent.tools.run_command(command)

    async def failing_check(self) -> str:
        findings = await self._services.proofs.look(list(self._agent.tools.work.changes.values()), may_ask=True)
        return next((each.check.command for each in findings if each.result.failures and each.check.command), "")

    def took(self, outcome: Outcome, changes: Mapping[str, Change]) -> None:
        self._agent.extra_usage += outcome.usage
        for path in outcome.files:
            self.workspace.written[path] = None
            self._agent.tools.work.changed(changes.get(path) or Change(path))

    async def begin(self, plan: Plan) -> None:
        """For a plan that the agent itself made. Raises ToolError where a part is for an agent that there is not."""
        try:
            for name in filter(None, (each.agent for each in plan.subtasks)):
                kind_named(name, self.kinds)
        except ConfigError as error:
            raise ToolError(error.with_remedy) from error
        await self._services.proofs.before_change()

    @property
    def task(self) -> str:
        return self._agent.task

    def delegated(self, outcome: Outcome) -> None:
        """Keeps the parts that were left undone until their files are written."""
        self._agent.tools.work.delegated(outcome)


class Delegation:
    """Carries out plans for `lead`. `make(name)` builds a fan-out, the default one for ""; `selected` is the user's."""

    def __init__(
        self, make: Callable[[str], FanOut], selected: str, lead: LeadAgent, enabled: bool, takers: Sequence[TakesTasks] = ()
    ) -> None:
        self._lead = lead
        self.enabled = enabled
        self._takers = takers
        self._fan_out = make(selected) if enabled else None
        carrier = self._fan_out if self._fan_out is None or isinstance(self._fan_out, CarriesOut) else make("")
        self._carrier = carrier if isinstance(carrier, CarriesOut) else None

    async def take(self, task: str, verdict: JudgeVerdict | None = None) -> tuple[Plan, FanOut] | None:
        """Returns a plan for a whole task with the fan-out that takes it, None where none does."""
        for taker in self._takers:
            try:
                if (plan := await taker.take(task, verdict)) and self._carrier is not None:
                    return plan, taker
            except AgenticError as error:
                self._lead.complain(error)
        return None

    async def wants_it(self) -> bool:
        """True if a fan-out is to be asked about the task before the lead's next step."""
        for taker in self._takers:
            try:
                if self._carrier is not None and await taker.wants_it():
                    return True
            except AgenticError as error:
                self._lead.complain(error)
        return False

    def settle(self, verdict: JudgeVerdict) -> JudgeVerdict:
        """Returns the verdict on what is left in the end: a fan-out may know an earlier try that was better."""
        for taker in self._takers:
            try:
                verdict = taker.settle(verdict)
            except AgenticError as error:
                self._lead.complain(error)
        return verdict

    async def carry_out(self, plan: Plan, task: str, fan_out: FanOut | None = None) -> Outcome:
        """Returns a result of all parts. Raises CancelledError only; `so_far` has what was done by then."""
        fan_out = fan_out or self._fan_out
        if self._carrier is None or fan_out is None:
            return Outcome("failed", "no plugin carries out plans here")
        try:
            return await self._carrier.carry_out(plan, task, fan_out.run)
        except PluginError as error:
            self._lead.complain(error)
            return Outcome("failed", self.so_far() or str(error))

    def so_far(self) -> str:
        """Returns the summary so far of a plan that is being carried out, "" without one."""
        return self._carrier.so_far() if self._carrier is not None else ""

    async def delegate(self, plan: Plan) -> Outcome:
        """The same for an agent in the middle of its work. Raises ToolError for a sub-agent: one level is all there is."""
        if CALLER.get() != "main":
            await refuse(plan)
        if not self.enabled:
            raise ToolError("sub-agents are switched off here: do it yourself")
        await self._lead.begin(plan)
        outcome = await self.carry_out(plan, self._lead.task)
        self._lead.delegated(outcome)
        return outcome

    async def aclose(self) -> None:
        """Ends with the session."""
        if self._carrier is not None:
            await self._carrier.aclose()


def delegation_of(runtime: Runtime, agent: Agent, services: AgentServices) -> Delegation:
    """Returns what carries plans out for the agent. Raises ConfigError where sub-agents cannot work as the settings want it."""
    settings = runtime.settings.sub_agents
    lead = LeadAgent(agent, services, runtime.info, runtime.transport.endpoints, runtime.batcher)

    def make(name: str) -> FanOut:
        made: FanOut = runtime.host.build("agentic_fan_outs", name, given)
        return made

    tasks = "agentic_fan_outs.tasks"
    given = partial(runtime.setup, kind=FanOutSetup, lead=lead)
    takers: list[TakesTasks] = [runtime.host.build(tasks, name, given) for name in sorted(runtime.host.offers(tasks))]
    return Delegation(make, settings.fan_out, lead, settings.enabled and bool(runtime.host.offers("agentic_fan_outs")), takers)
