"""The plan on sub-agents: a fan-out runs its parts, on agents that it opens for the agent whose plan it is, the lead."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from agentic.hooks import Provider, Setup, hookspec
from agentic.hooks.agents import AgentKind
from agentic.hooks.checks import JudgeVerdict
from agentic.hooks.complexity import Llm
from agentic.hooks.sub_agents import SubAgent as SubAgent
from agentic.lib.questions import Answered, Ask, Question
from agentic.lib.record import record
from agentic.types import Change, EndpointInfo, Message, Outcome, Plan, Sampling, Subtask, ToolOutput

if TYPE_CHECKING:
    from agentic.events import EndpointSeen, Event
    from agentic.lib.workspace import Workspace
    from agentic.sessions import ConversationHistory

Spawn = Callable[[Subtask], Awaitable[Outcome]]
"""Does a part and merges what it changed."""
DONE = ("done", "not_needed")
"""The statuses of parts that leave nothing to be done."""


@record(slots=True)
class CallBudget:
    """Model calls that the agents of one task may still make together. The lead and each of the `sub_agents` keep one."""

    left: int
    sub_agents: int = 0

    @property
    def only_to_report(self) -> bool:
        """True if sub-agents have to come to their end."""
        return self.left <= self.sub_agents + 1

    @property
    def for_one_more(self) -> bool:
        """True if another sub-agent could do anything but report."""
        return self.left > self.sub_agents + 2


class Lead(Protocol):
    """The agent whose plan is carried out, with what its sub-agents share.

    `kinds` are the agent definitions by name, `model` is the one in use, with the window that is used of it, at the `endpoints`.
    `late` says what the tools are for that stand in no prompt; `llm` asks beside all conversations.
    `restarts`: how often its model begins a task anew where the checks find something wrong.
    """

    history: "ConversationHistory"
    workspace: "Workspace"
    kinds: Mapping[str, AgentKind]
    calls: CallBudget
    model: EndpointInfo
    endpoints: Sequence[str]
    protocol: str
    tier: str
    effort: str
    late: str
    llm: Llm
    restarts: int

    @property
    def opening(self) -> Message:
        """The message that its task began with."""
        ...

    @property
    def before(self) -> Sequence[Message]:
        """The conversation before its task began."""
        ...

    @property
    def messages(self) -> Sequence[Message]:
        """Its conversation as the model will read it."""
        ...

    async def ask(self, question: Question) -> Answered:
        """Puts a question to the user; "no" where nobody can be asked."""
        ...

    async def seen(self) -> "list[EndpointSeen]":
        """Looks how busy each endpoint is that answers and tells."""
        ...

    async def restart(self, word: str = "", files: Sequence[str] = ()) -> None:
        """Begins the task anew, as if nothing had been said since, or with what is wrong and the files to correct."""
        ...

    @property
    def mode(self) -> str:
        """The approval mode."""
        ...

    @property
    def asks(self) -> bool:
        """True if the user is asked in this mode, and can be."""
        ...

    @property
    def may_run(self) -> bool:
        """True if commands can be run here, with a question or without."""
        ...

    async def may_write(self, what: str) -> str:
        """Asks whether something may be done that writes; "" for yes, else why not."""
        ...

    def open(
        self,
        history: "ConversationHistory",
        workspace: "Workspace",
        turns: int,
        agent: str = "",
        sampling: Sampling | None = None,
        ask: Ask | None = None,
    ) -> SubAgent:
        """Opens a sub-agent that follows the definition `agent` ("" for none) for at most that many turns.

        With `ask` it may change the files of its workspace, and what else would be asked is put to that.
        """
        ...

    async def emit(self, event: "Event") -> None: ...

    def complain(self, error: Exception) -> None:
        """Shows a warning that says what went wrong, and the remedy."""
        ...

    async def run_command(self, command: str) -> ToolOutput:
        """Runs a shell command under the usual approval, as if the model had called for it."""
        ...

    async def failing_check(self) -> str:
        """Runs the project's checks on what changed; the command of one that fails, "" if none does or nothing can be run."""
        ...

    def took(self, outcome: Outcome, changes: Mapping[str, Change]) -> None:
        """Counts what a part did as its own: the files, the tokens."""
        ...


class Attempt(Protocol):
    """A part at work in a tree of its own, of which nothing is in the folder before `merge`."""

    @property
    def agent(self) -> SubAgent: ...

    async def run(self) -> Outcome:
        """Does the part. Raises nothing but CancelledError."""
        ...

    async def go_on(self, word: str, files: Sequence[str] = ()) -> Outcome:
        """The same after a word to the model, when it has come to an end."""
        ...

    async def check(self, command: str) -> ToolOutput | None:
        """Runs a command in its tree; None where that needs a question."""
        ...

    async def merge(self, checked: bool = False, only: Collection[str] | None = None) -> Outcome:
        """Takes what it changed, or `only` these, into the folder, with checks there unless `checked`; says why if it cannot."""
        ...


class Parts(Protocol):
    """Does the parts of a plan: `await parts(subtask)` does one and merges what it changed."""

    async def __call__(self, subtask: Subtask) -> Outcome: ...

    def attempt(
        self,
        subtask: Subtask,
        sampling: Sampling | None = None,
        opened: Message | None = None,
        before: Sequence[Message] | None = None,
        ask: Ask | None = None,
    ) -> AbstractAsyncContextManager[Attempt]:
        """Opens a part in a tree of its own; what is not merged by the end is gone. Raises ToolError where trees cannot be.

        It begins with its briefing, or as the lead did with the message `opened`, after other messages than those `before` the
        lead's task. With `ask` it may change the files of its tree, and what else would be asked is put to that.
        """
        ...


class FanOut(Protocol):
    async def run(self, plan: Plan, spawn: Parts) -> list[Outcome]:
        """Runs every subtask through `spawn`; one outcome each, in the plan's order, and that counts. "not_needed" is no failure.

        One failure never cancels siblings. Where every part of a task that was taken is "not_needed", the lead does the task.
        """
        ...


@runtime_checkable
class CarriesOut(Protocol):
    """The optional addition to a fan-out: it carries out whole plans, its own and those that another fan-out schedules."""

    async def carry_out(self, plan: Plan, task: str, schedule: Callable[[Plan, Parts], Awaitable[list[Outcome]]]) -> Outcome:
        """Returns a result of all parts. Raises CancelledError only; `so_far` has what was done by then."""
        ...

    def so_far(self) -> str:
        """Returns the summary so far of a plan that is being carried out, "" without one."""
        ...

    async def aclose(self) -> None:
        """Ends with the session."""
        ...


class TakesTasks(FanOut, Protocol):
    """A fan-out that is asked about each whole task."""

    async def wants_it(self) -> bool:
        """True if the lead is to stop before its next step, so that `take` is asked about what it has so far."""
        ...

    async def take(self, task: str, verdict: JudgeVerdict | None) -> Plan | None:
        """A plan for it before it is begun, or after a try of the lead's was judged; None leaves it to the lead."""
        ...

    def settle(self, verdict: JudgeVerdict) -> JudgeVerdict:
        """The lead has come to its end with that; the verdict on what is in the folder afterwards."""
        ...


class TaskProvider(Provider[TakesTasks]):
    """A provider of one, which `agentic_fan_outs` tells by its class; all of them are asked, in the order of their names."""


@record(frozen=True, slots=True, kw_only=True)
class FanOutSetup(Setup):
    """`lead` is the agent whose plans are carried out."""

    lead: Lead


@hookspec
def agentic_fan_outs() -> Iterable[Provider[FanOut] | TaskProvider]:
    """Offers fan-outs, selected by `sub_agents.fan_out`. The factory gets a `FanOutSetup`."""
    raise NotImplementedError
