"""The plan on sub-agents: a fan-out runs its parts, on agents that it opens for the agent whose plan it is, the lead."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from agentic.hooks import Provider, Setup, hookspec
from agentic.hooks.agents import AgentKind
from agentic.lib.record import record
from agentic.types import Change, EndpointInfo, Message, Outcome, Plan, Sampling, Subtask, ToolOutput, Usage

if TYPE_CHECKING:
    from agentic.events import Event
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


class SubAgent(Protocol):
    """An agent of its own that does a part. It has the lead's system text and tools byte for byte, and begins in its cache."""

    @property
    def name(self) -> str: ...

    @property
    def history(self) -> "ConversationHistory": ...

    @property
    def workspace(self) -> "Workspace": ...

    @property
    def kind(self) -> AgentKind | None:
        """The agent definition that it follows, within what the lead may do."""
        ...

    @property
    def is_brief(self) -> bool:
        """True for a model that bears few words."""
        ...

    @property
    def tools(self) -> Sequence[str]:
        """The names of its tools."""
        ...

    @property
    def task(self) -> str: ...

    @property
    def messages(self) -> Sequence[Message]:
        """Its conversation as the model will read it."""
        ...

    @property
    def last_words(self) -> str: ...

    @property
    def usage(self) -> Usage: ...

    @property
    def changes(self) -> Mapping[str, Change]:
        """The files that it changed, by path."""
        ...

    @property
    def ran(self) -> Mapping[str, ToolOutput]:
        """The commands that it ran since its last change."""
        ...

    @property
    def did(self) -> str:
        """Its work in one line, "" for none."""
        ...

    @property
    def could_not_write(self) -> bool:
        """True if a change was not possible."""
        ...

    def start(self, task: str, opened: Message | None = None) -> None:
        """Gives it its task; `opened` is the message, if made."""
        ...

    def tell(self, text: str) -> None:
        """Adds a word to the model."""
        ...

    def used(self, usage: Usage) -> None:
        """Counts tokens that were used for it elsewhere."""
        ...

    def within(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """Gives it that time, without a user's thinking; its turn after 0.8 of it is its last. Raises TimeoutError."""
        ...

    async def run(self) -> tuple[str, str]:
        """(status, its last words) once it is done or at a limit. Raises AgenticError when the model cannot be asked."""
        ...

    async def run_command(self, command: str) -> ToolOutput:
        """Runs a shell command in its workspace under the usual approval, as if its model had called for it."""
        ...


class Lead(Protocol):
    """The agent whose plan is carried out, with what its sub-agents share."""

    @property
    def history(self) -> "ConversationHistory": ...

    @property
    def workspace(self) -> "Workspace": ...

    @property
    def kinds(self) -> Mapping[str, AgentKind]:
        """The agent definitions that there are, by name."""
        ...

    @property
    def calls(self) -> CallBudget: ...

    @property
    def model(self) -> EndpointInfo:
        """The model in use; `window` is the one that is used of it."""
        ...

    @property
    def endpoints(self) -> Sequence[str]:
        """The addresses where models are asked."""
        ...

    @property
    def protocol(self) -> str: ...

    @property
    def tier(self) -> str: ...

    @property
    def effort(self) -> str: ...

    @property
    def late(self) -> str:
        """The purpose of the tools that stand in no prompt, "" for none."""
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
    ) -> SubAgent:
        """Opens a sub-agent that follows the definition `agent` ("" for none) for at most that many turns."""
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

    async def check(self, command: str) -> ToolOutput:
        """Runs a command in its tree."""
        ...

    async def merge(self) -> Outcome:
        """Takes what it changed into the folder; the outcome says why where that cannot be."""
        ...


class Parts(Protocol):
    """Does the parts of a plan: `await parts(subtask)` does one and merges what it changed."""

    async def __call__(self, subtask: Subtask) -> Outcome: ...

    def attempt(self, subtask: Subtask, sampling: Sampling | None = None) -> AbstractAsyncContextManager[Attempt]:
        """Opens a part in a tree of its own; what is not merged by the end is gone. Raises ToolError where trees cannot be."""
        ...


class FanOut(Protocol):
    async def run(self, plan: Plan, spawn: Parts) -> list[Outcome]:
        """Runs every subtask through `spawn`; one outcome each, in the plan's order, and that counts. "not_needed" is no failure.

        One failure never cancels siblings.
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


@record(frozen=True, slots=True, kw_only=True)
class FanOutSetup(Setup):
    """`lead` is the agent whose plans are carried out."""

    lead: Lead


@hookspec
def agentic_fan_outs() -> Iterable[Provider[FanOut]]:
    """Offers fan-outs, selected by `sub_agents.fan_out`. The factory gets a `FanOutSetup`."""
    raise NotImplementedError
