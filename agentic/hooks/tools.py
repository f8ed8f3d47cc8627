"""The hooks for tools that an agent can use."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from agentic.hooks import Provider, Setup, hookspec
from agentic.hooks.complexity import Llm
from agentic.lib.calls import Grant
from agentic.lib.record import record
from agentic.types import Outcome, Plan, ToolOutput, ToolSpec

if TYPE_CHECKING:
    from agentic.lib.children import Child
    from agentic.lib.children.jobs import Jobs
    from agentic.lib.workspace import Workspace


CALLER: ContextVar[str] = ContextVar("caller", default="main")
"""The agent whose call a tool is running."""


class StartsCommands(Protocol):
    async def __call__(self, argv: Sequence[str], folder: Path, output: int, grant: Grant | None = None) -> "Child":
        """Starts a command, both outputs at the descriptor; without a grant nothing is open that the policy closes."""
        ...


class Memory(Protocol):
    """The memory of the session that a tool runs in, as far as the tool may know it."""

    def share(self, key: str, value: str, by: str) -> None:
        """Puts a value before all agents of the session. Raises ToolError for one that is too large."""
        ...

    def recall(self, name: str) -> str | None:
        """A tool output that was left out of the prompt, by its `recall_id`."""
        ...


@record(frozen=True, slots=True, kw_only=True)
class ToolSetup(Setup):
    """`delegate(plan)` carries a plan out on sub-agents; it raises ToolError for a sub-agent. `start(argv, folder, output,
    workspace.call.grant)` starts a command as the user wants commands started: confined, with the little of the environment that
    it needs, and both its outputs at the descriptor; `jobs` are those that stay. `ask(question, choices)` gives the user's answer,
    and raises ToolError where nobody can be asked. `late_tools(words)` finds tools that stand in no prompt, `late_about` says what
    there are such tools for. `sees` is the model that sees pictures, the main one where the settings name no other.
    `result_tokens` is the most that one result may take of the window: what is longer is cut, and kept for `recall`."""

    memory: Memory
    delegate: Callable[[Plan], Awaitable[Outcome]]
    start: StartsCommands
    late_tools: Callable[[str], Awaitable[list[ToolSpec]]]
    late_about: str
    jobs: "Jobs"
    ask: Callable[[str, Sequence[str]], Awaitable[str]]
    sees: Llm
    result_tokens: int = 2_000


class Tool(Protocol):
    @property
    def spec(self) -> ToolSpec:
        """Name, description, parameters, and whether it reads, writes or executes (which decides the approval it needs)."""
        ...

    async def run(self, arguments: Mapping[str, Any], workspace: "Workspace") -> ToolOutput:
        """Does it. Raises ToolError with a text for the model.

        `workspace.call` is the context of the call: who calls, and what its commands may do.
        """
        ...


@runtime_checkable
class Announces(Protocol):
    """The optional addition to a source of tools."""

    @property
    def about(self) -> str:
        """The purpose of the tools to come, in a few words that stay the same all session long; "" for no tools at all."""
        ...


class ToolSource(Protocol):
    """Tools that come and go while a session runs, from a server for example. They stand in no prompt: the model finds them.

    One that `Announces` nothing is not opened, and where there is no other, no tool that finds tools stands in the prompt.
    """

    async def open(self) -> None:
        """Begins, in the background of the session; may take its time."""
        ...

    def tools(self) -> list[Tool]:
        """Returns the tools that there are now."""
        ...

    async def close(self) -> None:
        """Ends with the session; called also when `open` failed."""
        ...


class ToolSourceProvider(Provider[ToolSource]):
    """A provider of a source of tools, which `agentic_tools` tells by its class from one of a tool."""


@hookspec
def agentic_tools() -> Iterable[Provider[Tool] | ToolSourceProvider]:
    """Offers tools, all enabled unless `tools.enabled` names some, and sources of tools.

    A provider's name is the tool's name; its factory gets a `ToolSetup`.
    """
    raise NotImplementedError
