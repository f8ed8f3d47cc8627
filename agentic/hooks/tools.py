"""What an agent can do."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from agentic.hooks import Provider, hookspec
from agentic.types import Outcome, Plan, ToolOutput, ToolSpec

if TYPE_CHECKING:
    from agentic.workspace import Workspace


CALLER: ContextVar[str] = ContextVar("caller", default="main")
"""The agent whose call a tool is running."""


Delegate = Callable[[Plan], Awaitable[Outcome]]
"""Carries a plan out on sub-agents, for the agent itself (`Setup.delegate`). Raises ToolError for a sub-agent."""


class Memory(Protocol):
    """What a tool may know of the session it runs in (`Setup.memory`)."""

    def share(self, key: str, value: str, by: str) -> None:
        """Puts a value before all agents of the session. Raises ToolError for one that is too large."""
        ...

    def recall(self, name: str) -> str | None:
        """A tool output that was left out of the prompt, by its `recall_id`."""
        ...


class Tool(Protocol):
    @property
    def spec(self) -> ToolSpec:
        """Name, description, parameters, and whether it reads, writes or executes (which decides the approval it needs)."""
        ...

    async def run(self, arguments: Mapping[str, Any], workspace: "Workspace") -> ToolOutput:
        """Does it. Raises ToolError with a text for the model."""
        ...


@hookspec
def agentic_tools() -> Iterable[Provider[Tool]]:
    """Offers tools, all enabled unless `tools.enabled` names some. A provider's name is the tool's name."""
    raise NotImplementedError
