"""Hooks that are called while a run goes on: async, one plugin at a time, each under a timeout, never a whole run's end."""

from dataclasses import dataclass
from typing import Literal

from agentic.events import Event
from agentic.hooks import hookspec
from agentic.types import ChatRequest, ToolCall


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's word on a tool call. Over all plugins: deny > ask > allow; none is no opinion."""

    decision: Literal["allow", "ask", "deny"]
    reason: str = ""


@hookspec
async def agentic_on_event(event: Event) -> None:
    """Observes. A failure is counted and never reaches the run.

    `llm_chunk` and `reasoning_chunk` come only to plugins that set `agentic_wants_chunks = True`.
    """
    raise NotImplementedError


@hookspec
async def agentic_before_request(request: ChatRequest) -> ChatRequest | None:
    """May return a changed request; None leaves it as it is. A failure leaves it as it is, with a warning."""
    raise NotImplementedError


@hookspec
async def agentic_before_tool(call: ToolCall) -> Verdict | None:
    """A gate before every tool call. One that raises or times out denies."""
    raise NotImplementedError
