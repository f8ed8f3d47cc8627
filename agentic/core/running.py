"""A tool call that is being carried out, what travels with it, and what is told of it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from agentic.errors import ToolError
from agentic.events import ToolResult
from agentic.hooks.tools import Tool
from agentic.lib.calls import CallContext, Grant
from agentic.lib.progress import Progress
from agentic.lib.record import record
from agentic.lib.workspace import NotGranted, Workspace
from agentic.types import ToolCall, ToolOutput

_PATHS = {"path", "paths", "file", "files", "filename", "file_path", "filepath", "folder", "directory", "dir"}
"""The names that tools give an argument that is a path."""


@record(slots=True)
class Running:
    """A call, its tool and its arguments, which plugins and the user may change; then what came of it so far.

    `check` is a checker's command, where the call is one of those. A command of it gets the `grant`. `diff` is what it changed in
    files, `seconds` what it took without the time that the user took to answer, `refused` why it may not run.
    """

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]
    check: str = ""
    grant: Grant = Grant()
    diff: str = ""
    seconds: float = 0.0
    refused: str = ""

    def allow(self, grant: Grant) -> None:
        """Gives its command what was allowed; secrets that it must not see stay hidden without a word about them."""
        self.grant = grant if grant.secrets else replace(grant, hidden=self.grant.hidden)

    def context(self, agent: str, show: Callable[[str], None]) -> CallContext:
        """Returns what travels with the call to its tool."""
        return CallContext(agent=agent, grant=self.grant, progress=Progress(show))


def result_of(call: ToolCall, output: ToolOutput, diff: str = "", seconds: float = 0.0) -> ToolResult:
    """Returns the event that tells what came of a call."""
    return ToolResult(
        id=call.id,
        name=call.name,
        text=output.for_model,
        failed=output.failed,
        exit_code=output.exit_code,
        seconds=round(seconds, 3),
        changes=tuple(asdict(change) for change in output.changes),
        diff=diff,
    )


def require_granted(arguments: Mapping[str, Any], space: Workspace) -> None:
    """Raises NotGranted for a path that needs a word, also where the tool would open it past the workspace."""
    for name in _PATHS & arguments.keys():
        values = arguments[name] if isinstance(arguments[name], list) else [arguments[name]]
        for value in values:
            try:
                space.relative(str(value))
            except NotGranted:
                raise
            except ToolError:  # it is no path: the tool knows what it is
                continue
