"""The words about an event that the rich and plain screens share, in one line."""

from agentic import AgenticError
from agentic.events import (
    ComplexityEstimated,
    ContextReport,
    ContextTrimmed,
    EndpointSeen,
    Event,
    Failover,
    PlanMade,
    Retrying,
    RunStarted,
    SandboxReady,
    SubAgentFinished,
    SubAgentStarted,
    TodoChanged,
    ToolCalled,
    ToolResult,
    UserSaid,
    Warned,
    WorkflowEvent,
)
from agentic.lib.sanitize import hide_logins, sanitize

MAX_LINE = 160


def one_line(text: str, limit: int = MAX_LINE) -> str:
    """The text's start, safe for a terminal."""
    flat = sanitize(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def describe(event: Event) -> str:
    """The line, "" for an event that needs none."""
    match event:
        case RunStarted():
            return " · ".join(part for part in (event.model, event.endpoint, event.choice) if part)
        case ToolCalled():
            return f"{event.name} {_arguments(event)}"
        case ToolResult():
            return _result(event)
        case ContextTrimmed():
            left_out = f", {event.dropped} messages left out" if event.dropped > 0 else ""
            return f"context cut from {event.before} to {event.after} tokens{left_out}"
        case ContextReport():
            return f"context: {where_the_tokens_are(event)}"
        case SandboxReady() if not event.name:
            return "no sandbox holds commands here"
        case EndpointSeen() if event.asked:
            return f"{event.endpoint}: {how_busy(event)}"
        case Retrying() if event.attempt & (event.attempt - 1) == 0:  # the 1st, 2nd, 4th, 8th …: the status line counts down
            return f"{event.endpoint}: {event.why}; trying again in {event.seconds:.1f} s"
        case Failover() if event.to == event.from_:  # that it is tried again was said when it broke
            return "the answer starts again" if event.partial else ""
        case Failover():
            again = " (the answer starts again)" if event.partial else ""
            again = again or (" (in the middle of the answer)" if event.resumed else "")
            return f"{event.from_} failed: {event.why}; going on with {event.to}{again}"
        case ComplexityEstimated():
            return f"complexity {event.score:.2f}: {', '.join(event.reasons)}"
        case PlanMade():
            return f"plan: {'; '.join(str(subtask['description']) for subtask in event.subtasks)}"
        case SubAgentStarted():
            return f"starts: {event.task}"
        case SubAgentFinished():
            return f"ends: {event.status}"
        case WorkflowEvent() if event.message:
            return event.message
        case TodoChanged():
            done = sum(state == "done" for _, state in event.items)
            doing = next((text for text, state in event.items if state == "doing"), "")
            return f"{done} of {len(event.items)} steps done" + (f"; now: {doing}" if doing else "")
        case UserSaid():
            return f"› {event.text}"
        case Warned():
            return f"warning: {event.message}"
    return ""


def speaker(event: Event) -> str:
    """Which sub-agent it is about, "" for the agent itself."""
    return "" if event.agent == "main" else event.agent.removeprefix("sub-")


def how_busy(seen: EndpointSeen) -> str:
    """An endpoint's numbers in a few words."""
    lanes = ", ".join(f"{count} {lane}" for lane, count in seen.lanes.items())
    parts = [
        f"{seen.running} running" + (f", {seen.waiting} waiting" if seen.waiting else ""),
        f"KV {seen.kv_usage:.0%}" if seen.kv_usage is not None else "",
        f"cache hits {seen.hit_rate:.0%}" if seen.hit_rate is not None else "",
        f"{seen.cache} cache" + (f", blocks of {seen.block}" if seen.block and seen.cache != "off" else "") if seen.cache else "",
        f"TTFT {seen.ttft:.2f} s" if seen.ttft else "",
        speed_of(seen.tokens_per_second),
        f"ours: {lanes or 'none'} of {seen.places}",
    ]
    return " · ".join(part for part in parts if part)


def speed_of(rate: float) -> str:
    """Tokens a second."""
    return f"{rate:.1f} tok/s" if 0 < rate < 1 else f"{rate:.0f} tok/s"


def where_the_tokens_are(report: ContextReport) -> str:
    """The parts of a prompt, what it may have, and how that was counted."""
    parts = ", ".join(f"{name} {tokens}" for name, tokens in report.parts.items())
    how = f"counted by {report.method}" + (f" ({report.error})" if report.error else "")
    return f"{report.tokens} of {report.budget} tokens ({parts}); tier {report.tier}; {how}"


def _arguments(event: ToolCalled) -> str:
    main = event.arguments.get("command") or event.arguments.get("path") or event.arguments.get("query")
    return str(main) if main is not None else ""


def _result(event: ToolResult) -> str:
    lines = event.text.strip().splitlines() or [""]
    if event.exit_code is None:
        is_trace = event.failed and lines[0].startswith("Traceback")  # of which the last line says what it is about
        return next((line for line in reversed(lines) if is_trace and not line.startswith("(")), lines[0])
    shown = " ⏎ ".join(lines[-4:-1]) if len(lines) > 1 else ""
    return f"exit {event.exit_code} in {event.seconds:.1f} s" + (f": {shown}" if shown else "")


def error_in_words(error: AgenticError) -> str:
    """An error with its remedy, for people, without logins."""
    return hide_logins(f"{error}\n  → {error.remedy}" if error.remedy else str(error))
