"""Hooks that are called while a run goes on, one plugin at a time, each under a timeout. Take only the arguments you need.

The timeout is five seconds, or what the plugin's `PluginInfo` says: one that waits for other programs keeps time itself.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from agentic.events import Event
from agentic.hooks import Setup, hookspec
from agentic.lib.record import record
from agentic.types import ChatRequest, ToolCall, ToolOutput, ToolSpec

if TYPE_CHECKING:
    from agentic.hooks.command_readers import CommandReading
    from agentic.lib.workspace import Workspace

Decision = Literal["allow", "ask", "deny"]


@record(frozen=True, slots=True)
class Verdict:
    """A gate's word on a tool call. Over all plugins: deny > ask > allow; None is no opinion.

    "ask" asks the user in every mode where there is a terminal. "allow" spares the question where the user's own settings say that
    this plugin may (`plugins.may_grant`), or the plugin is a file in the user's own folder. `arguments` replace the call's.
    """

    decision: Decision
    reason: str = ""
    arguments: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.decision not in get_args(Decision):
            raise ValueError(f"a verdict is one of {', '.join(get_args(Decision))}, not {self.decision!r}")


@record(frozen=True, slots=True)
class Addition:
    """A plugin's addition to a task: `text`, which the model reads after it. `refused` says why the task is not begun at all."""

    text: str = ""
    refused: str = ""


@hookspec
async def agentic_before_task(task: str, session: str, first: bool, setup: Setup) -> Addition | None:
    """Before a task of the user's is begun; `first` where it is the session's first one. A failure adds nothing."""
    raise NotImplementedError


@hookspec
async def agentic_on_event(event: Event, setup: Setup) -> None:
    """Observes, from a queue of the plugin's own: it never slows the run down. A failure is counted and never reaches the run.

    `llm_chunk` and `reasoning_chunk` come only to plugins whose `PluginInfo` says `wants_chunks`.
    """
    raise NotImplementedError


@hookspec
async def agentic_before_request(request: ChatRequest, setup: Setup) -> ChatRequest | None:
    """May return a changed request, of every request to a model; None leaves it as it is.

    A failure ends the request: what should have been taken out of it must not be sent.
    """
    raise NotImplementedError


@hookspec
async def agentic_before_tool(
    call: ToolCall,
    arguments: Mapping[str, Any],
    tool: ToolSpec,
    agent: str,
    workspace: "Workspace",
    reading: "CommandReading | None",
    setup: Setup,
) -> Verdict | None:
    """A gate before every tool call. One that fails, in whatever way, denies.

    `reading` is what is known of the command that the call would run, None for a call that runs none. `workspace` is the folder as
    that agent has it.
    """
    raise NotImplementedError


@hookspec
async def agentic_after_tool(
    call: ToolCall,
    arguments: Mapping[str, Any],
    tool: ToolSpec,
    output: ToolOutput,
    agent: str,
    workspace: "Workspace",
    run: Callable[[str], Awaitable[ToolOutput | None]],
    setup: Setup,
) -> ToolOutput | None:
    """May return a changed output, which the model reads; None leaves it as it is, and so does a failure.

    `workspace` is the folder as that agent has it, which is not always the run's. `run(command)` runs a shell command there, where
    that needs no question; it gives None where it needs one.
    """
    raise NotImplementedError
