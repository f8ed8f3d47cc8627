"""What happens in a run, one small type per event. `--output jsonl` writes exactly these fields (a contract: never renamed)."""

import time as clock
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


@dataclass(slots=True, kw_only=True)
class Event:
    """`time` in seconds since the epoch; `run` and `agent` say whose event it is."""

    type: ClassVar[str] = ""
    time: float = field(default_factory=clock.time)
    run: str = ""
    agent: str = "main"

    def as_dict(self) -> dict[str, Any]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"type": self.type} | {name.rstrip("_"): value for name, value in values.items()}


@dataclass(slots=True, kw_only=True)
class RunStarted(Event):
    """`choice` says why this transport was taken, where that was not the user's own choice."""

    type = "run_started"
    command: str
    task: str
    endpoint: str = ""
    model: str = ""
    choice: str = ""


@dataclass(slots=True, kw_only=True)
class WorkflowEvent(Event):
    type = "workflow_event"
    node: str
    message: str = ""


@dataclass(slots=True, kw_only=True)
class LlmRequest(Event):
    """`prompt_tokens` is an estimate until `usage` tells; `budget` the most that the prompt may have."""

    type = "llm_request"
    endpoint: str
    prompt_tokens: int
    budget: int


@dataclass(slots=True, kw_only=True)
class LlmChunk(Event):
    type = "llm_chunk"
    text: str


@dataclass(slots=True, kw_only=True)
class ReasoningChunk(Event):
    type = "reasoning_chunk"
    text: str


@dataclass(slots=True, kw_only=True)
class ToolCalled(Event):
    type = "tool_call"
    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class ToolResult(Event):
    type = "tool_result"
    id: str
    name: str
    text: str
    failed: bool = False
    exit_code: int | None = None
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class ApprovalAsked(Event):
    """A question to the user is about to be shown; `what` is the whole of it."""

    type = "approval"
    what: str


@dataclass(slots=True, kw_only=True)
class ComplexityEstimated(Event):
    type = "complexity"
    score: float
    separable: bool
    reasons: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class PlanMade(Event):
    type = "plan"
    subtasks: tuple[dict[str, Any], ...]


@dataclass(slots=True, kw_only=True)
class SubAgentStarted(Event):
    type = "sub_agent_started"
    task: str


@dataclass(slots=True, kw_only=True)
class SubAgentFinished(Event):
    type = "sub_agent_finished"
    status: str


@dataclass(slots=True, kw_only=True)
class ContextTrimmed(Event):
    """Token counts (estimates) of the history before and after a trim."""

    type = "context_trimmed"
    before: int
    after: int
    dropped: int


@dataclass(slots=True, kw_only=True)
class Failover(Event):
    """`partial` counts the characters of the answer in the making that are void now."""

    type = "failover"
    from_: str
    to: str
    why: str
    partial: int = 0


@dataclass(slots=True, kw_only=True)
class UsageReported(Event):
    type = "usage"
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Warned(Event):
    type = "warning"
    message: str


@dataclass(slots=True, kw_only=True)
class RunFinished(Event):
    type = "run_finished"
    status: str
    result: str
    files: tuple[str, ...] = ()
