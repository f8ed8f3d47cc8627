"""What an agent can do."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from agentic.hooks import Provider, hookspec
from agentic.types import ToolOutput, ToolSpec

if TYPE_CHECKING:
    from agentic.workspace import Workspace


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
