"""The events of a run, one small type each. `--output jsonl` writes exactly these fields (a contract: never renamed)."""

import time as clock
from collections.abc import Mapping
from typing import Any, ClassVar

from agentic.lib.fields import EventFields


class Event(EventFields):
    """`time` in seconds since the epoch; `run` and `agent` say whose event it is."""

    type: ClassVar[str] = ""
    transient: ClassVar[bool] = False  # of use at this moment only: not kept, and for no observer that did not ask
    time: float = 0.0
    run: str = ""
    agent: str = "main"

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON has them, `time` being when the event was first passed on."""
        values = {"type": self.type, "time": self.time or clock.time(), "run": self.run, "agent": self.agent}
        return values | {name.rstrip("_"): getattr(self, name) for name in self.fields if name not in values}


def read_event(record: Mapping[str, Any]) -> Event | None:
    """The event of a line that `as_dict` made; None for what is none."""
    kind = next((each for each in Event.__subclasses__() if each.type == record.get("type")), None)
    names = {name.rstrip("_"): name for name in kind.fields} if kind is not None else {}
    values: dict[str, Any] = {
        names[key]: tuple(each) if isinstance(each, list) else each for key, each in record.items() if key in names
    }
    return kind(**values) if kind is not None and all(name in values or hasattr(kind, name) for name in kind.fields) else None


class RunStarted(Event):
    """`choice` says why this transport was taken, where that was not the user's own choice."""

    type = "run_started"
    command: str
    task: str
    endpoint: str = ""
    model: str = ""
    choice: str = ""
    session: str = ""


class WorkflowEvent(Event):
    type = "workflow_event"
    node: str
    message: str = ""


class LlmRequest(Event):
    """`prompt_tokens` as counted before it was sent, never under; `budget` the most that the prompt may have."""

    type = "llm_request"
    endpoint: str
    prompt_tokens: int
    budget: int
    purpose: str = "turn"


class LlmChunk(Event):
    type = "llm_chunk"
    transient = True
    text: str


class Prefilling(Event):
    """How far the prompt is computed, before the first token: `done` of `total` tokens, 0 where the server does not say."""

    type = "prefilling"
    transient = True
    done: int
    total: int = 0


class ReasoningChunk(Event):
    type = "reasoning_chunk"
    transient = True
    text: str


class ToolCalled(Event):
    type = "tool_call"
    id: str
    name: str
    arguments: dict[str, Any]


class ToolResult(Event):
    """`diff` is what an edit changed, as a unified diff."""

    type = "tool_result"
    id: str
    name: str
    text: str
    failed: bool = False
    exit_code: int | None = None
    seconds: float = 0.0
    changes: tuple[dict[str, str], ...] = ()
    diff: str = ""


class ToolProgress(Event):
    """A piece of what a running call gives out, as it comes."""

    type = "tool_progress"
    transient = True
    id: str
    text: str


class TodoChanged(Event):
    """An agent's whole to-do list: (text, state), the state being open, doing or done."""

    type = "todo_changed"
    items: tuple[tuple[str, str], ...]


class ApprovalAsked(Event):
    """The host puts a question to the user itself. `body` is all that is wanted, byte for byte, `digest` its SHA-256.

    `reason` and `plugin` are a gate's; `proposals` the rules that "always" would add; `is_diff`: the body is a unified diff.
    """

    type = "approval"
    what: str
    reason: str = ""
    plugin: str = ""
    body: str = ""
    warnings: tuple[str, ...] = ()
    proposals: tuple[str, ...] = ()
    is_diff: bool = False
    digest: str = ""


class ApprovalAnswered(Event):
    """The user's answer to that question."""

    type = "approval_answer"
    what: str
    granted: bool


class SandboxReady(Event):
    """The sandbox that holds the session's commands: `name` is the launcher, "" for none; `gaps` what it leaves open."""

    type = "sandbox"
    name: str
    gaps: tuple[str, ...] = ()


class ComplexityEstimated(Event):
    type = "complexity"
    score: float
    separable: bool
    reasons: tuple[str, ...] = ()


class PlanMade(Event):
    type = "plan"
    subtasks: tuple[dict[str, Any], ...]


class SubAgentStarted(Event):
    type = "sub_agent_started"
    task: str
    title: str = ""


class SubAgentFinished(Event):
    type = "sub_agent_finished"
    status: str
    files: tuple[str, ...] = ()


class PlanFinished(Event):
    """The outcome of a plan, as one report."""

    type = "plan_finished"
    status: str
    report: str


class ContextTrimmed(Event):
    """The history's tokens before and after a trim; `dropped` messages are only in the session now."""

    type = "context_trimmed"
    before: int
    after: int
    dropped: int


class ContextReport(Event):
    """A prompt's tokens by `parts`; `method` is how they were counted, `error` why no better way was taken."""

    type = "context"
    parts: dict[str, int]
    tokens: int
    budget: int
    window: int
    tier: str
    method: str
    error: str = ""


class Failover(Event):
    """`partial` counts the characters of the answer in the making that are void now, `resumed` those that it goes on after."""

    type = "failover"
    from_: str
    to: str
    why: str
    partial: int = 0
    resumed: int = 0


class Retrying(Event):
    """No endpoint took the request, or the answer broke off everywhere: it is tried again in so many `seconds`.

    `attempt` counts from 1 since it last got further, `why` is the last failure, at `endpoint`.
    """

    type = "retrying"
    endpoint: str
    why: str
    seconds: float
    attempt: int


class EndpointSeen(Event):
    """How busy an endpoint is, twice a second while it works for us, or as `asked`; `block` is the `unit` of an `EndpointLoad`."""

    type = "endpoint"
    transient = True
    endpoint: str
    running: int
    waiting: int
    kv_usage: float | None
    hit_rate: float | None
    ttft: float
    tokens_per_second: float
    places: int
    lanes: dict[str, int]
    cache: str = ""
    block: int = 0
    asked: bool = False


class UserSaid(Event):
    """The text that the user typed while the agent works, as it is given to the model: the end of its next prompt."""

    type = "user_said"
    text: str


class Idle(Event):
    """The line is the user's: nothing is drawn by itself until the next run starts."""

    type = "idle"
    transient = True


class Unfolded(Event):
    """The user wants to see the whole of what was shown shortened last."""

    type = "unfolded"
    transient = True


class UsageReported(Event):
    type = "usage"
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    possible_tokens: int | None = None  # of the prompt, computed before, in whole blocks of the server's cache
    seconds: float = 0.0


class Warned(Event):
    type = "warning"
    message: str


class RunFinished(Event):
    """The fields of an `Outcome`."""

    type = "run_finished"
    status: str
    result: str
    files: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    open_questions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
