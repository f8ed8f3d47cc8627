"""From structured outcomes one result: what was done by whom, what was not and why, what is open, and whether it paid."""

from collections.abc import Mapping, Sequence

from agentic.hooks.fan_out import DONE
from agentic.lib.record import record
from agentic.types import Outcome, Subtask, ToolOutput, Usage

MAX_EVIDENCE = 3
STATUS_WORDS = {
    "not_needed": "not needed",
    "skipped": "not begun",
    "timeout": "out of time",
    "limit": "out of turns",
    "gave_up": "gave up",
}


@record(slots=True)
class PartResult:
    """A subtask with what came of it; `seconds` of its own agent's work, `touched` the files that it meant to change."""

    subtask: Subtask
    outcome: Outcome
    seconds: float = 0.0
    touched: tuple[str, ...] = ()


def outcome_of(
    subtask: Subtask,
    status: str,
    said: str,
    files: Sequence[str],
    ran: Mapping[str, ToolOutput],
    usage: Usage,
    questions: tuple[str, ...],
    unwritten: tuple[str, ...],
) -> Outcome:
    """Returns an agent's outcome: its runs are evidence, `questions` what it shared as open, `unwritten` what it was to write."""
    evidence = tuple(f"`{command}`: exit code {output.exit_code}" for command, output in ran.items())
    left = {subtask.title: unwritten} if unwritten else {}
    return Outcome(status, said.strip(), tuple(files), usage, evidence[-MAX_EVIDENCE:], questions, unwritten=left)


def report(parts: Sequence[PartResult], together: float) -> Outcome:
    """A result of all; `together` in seconds. Partial results are results."""
    missing = [part for part in parts if part.outcome.status not in DONE]
    lines = [line for part in parts for line in _lines(part)]
    undone = tuple(part.subtask.title for part in missing)
    if undone:
        lines.append(f"Not done: {', '.join(undone)}.")
    questions = tuple(f"{part.subtask.title}: {question}" for part in parts for question in part.outcome.open_questions)
    for part in parts:
        if part.outcome.status == "done" and part.outcome.unwritten:
            lines.append(f"{part.subtask.title}: not written: {', '.join(_unwritten(part))}")
    if questions:
        lines += ["Open:", *(f"- {question}" for question in questions)]
    usage = sum((part.outcome.usage for part in parts), Usage())
    lines.append(_whether_it_paid(parts, together, usage))
    return Outcome(
        _status(parts, missing),
        "\n".join(lines),
        tuple(dict.fromkeys(path for part in parts for path in part.outcome.files)),
        usage,
        tuple(f"{part.subtask.title}: {each}" for part in parts for each in part.outcome.evidence),
        questions,
        undone,
        {part.subtask.title: _unwritten(part) for part in parts if part in missing or part.outcome.unwritten},
    )


def _unwritten(part: PartResult) -> tuple[str, ...]:
    """The files that settle a part: those that it did not write, or for one that is not done all that it was to write."""
    return tuple(path for paths in part.outcome.unwritten.values() for path in paths) or part.subtask.writes or part.touched


def how_it_ended(outcome: Outcome) -> str:
    """Its status as users read it."""
    return STATUS_WORDS.get(outcome.status, outcome.status)


def _lines(part: PartResult) -> list[str]:
    outcome = part.outcome
    lines = [f"{part.subtask.title} ({how_it_ended(outcome)}): {outcome.summary}".strip()]
    lines += [f"  files: {', '.join(outcome.files)}"] if outcome.files else []
    return lines + ([f"  ran {'; '.join(outcome.evidence)}"] if outcome.evidence else [])


def _status(parts: Sequence[PartResult], missing: Sequence[PartResult]) -> str:
    if all(part.outcome.status == "not_needed" for part in parts):
        return "not_needed"
    if any(part.outcome.status == "refused" for part in missing):
        return "refused"  # an approval would have helped
    return "gave_up" if missing else "done"


def _whether_it_paid(parts: Sequence[PartResult], together: float, usage: Usage) -> str:
    seconds = sum(part.seconds for part in parts)
    begun = sum(part.seconds > 0 for part in parts)
    cached = f", {usage.cached_tokens:,} of them from cache" if usage.cached_tokens is not None else ""
    tokens = f"{usage.prompt_tokens:,} prompt tokens{cached}, {usage.completion_tokens:,} made"
    if begun == 1:
        return f"({together:.1f} s; {tokens})"
    return f"({begun} sub-agents: {together:.1f} s together, their own times add up to {seconds:.1f} s; {tokens})"
