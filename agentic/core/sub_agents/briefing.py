"""What a sub-agent is told. All that is its own stands in its newest message: what comes before is the same for every child."""

from collections.abc import Iterable

from agentic.core.sub_agents.leases import is_folder
from agentic.core.sub_agents.report import Part, how_it_ended
from agentic.types import Plan, Subtask, recall_id

MAX_SHOWN = 400  # characters of what a part produced, for those that build on it


def briefing(subtask: Subtask, plan: Plan, task: str, turns: int, needed: Iterable[Part], in_a_few_words: bool) -> str:
    """`needed` are the parts that it depends on, with what came of them. A few words are what very small models bear."""
    before = [_built_on(part) for part in needed]
    if in_a_few_words:
        lines = [
            f"{subtask.description}{_where(subtask)}",
            f"This is one part of a larger task, do only this part. The larger task: {task}",
            _others(subtask, plan),
        ]
    else:
        lines = [
            f"{subtask.description}{_where(subtask)}",
            f"You do one part of a larger task, and only that part: other agents do the others now. The larger task: {task}",
            _others(subtask, plan),
            f"Look at {', '.join(subtask.reads)}." if subtask.reads else "",
            f"Output: {subtask.output}" if subtask.output else "",
            f"It is done when: {subtask.done_check}" if subtask.done_check else "",
            f"You have {turns} turns. At the end say what you did, and begin a line with `Open:` for what is missing or undecided.",
        ]
    return "\n".join(filter(None, [*lines, *(["What it builds on:", *before] if before else [])]))


def _where(subtask: Subtask) -> str:
    folders = [f"{path.rstrip('/')}/" for path in subtask.writes if is_folder(path)]
    files = [path for path in subtask.writes if not is_folder(path)]
    return (f" Write {', '.join(files)}." if files else "") + (f" Put its files in {', '.join(folders)}" if folders else "")


def _others(subtask: Subtask, plan: Plan) -> str:
    """What there will be of the other parts: interfaces begin with names."""
    others = [f"{', '.join(other.writes)} ({other.title})" for other in plan.subtasks if other.writes and other is not subtask]
    return f"Other agents write: {'; '.join(others)}." if others else ""


def _built_on(part: Part) -> str:
    subtask, outcome = part.subtask, part.outcome
    text = outcome.summary
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… (recall {recall_id(text)} shows all)"
    files = f" Files: {', '.join(outcome.files)}" if outcome.files else ""
    return f"- {subtask.title} ({how_it_ended(outcome)}): {short}{files}"
