"""A sub-agent's briefing. All that is its own stands in its newest message: what comes before is the same for every child."""

from collections.abc import Callable, Iterable

from agentic.types import Plan, Subtask, recall_id
from plugins_builtin.sub_agents.leases import is_folder
from plugins_builtin.sub_agents.report import PartResult, how_it_ended

MAX_SHOWN = 400  # characters of what a part produced, for those that build on it


def briefing(
    prompts: Callable[..., str], subtask: Subtask, plan: Plan, task: str, turns: int, needed: Iterable[PartResult], brief: bool
) -> str:
    """`needed` are the parts that it depends on, with what came of them. What is `brief` is what very small models bear."""
    text = prompts(
        "part.brief" if brief else "part",
        description=f"{subtask.description}{_where(subtask)}",
        task=task,
        others=_others(subtask, plan),
        reads=f"Look at {', '.join(subtask.reads)}." if subtask.reads else "",
        output=f"Output: {subtask.output}" if subtask.output else "",
        check=f"It is done when: {subtask.done_check}" if subtask.done_check else "",
        turns=str(turns),
        open=open_key(subtask),
    )
    before = [_built_on(part) for part in needed]
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join([*lines, *(["What it builds on:", *before] if before else [])])


def open_key(subtask: Subtask) -> str:
    """Under which a sub-agent shares what is missing or undecided."""
    return f"open {subtask.id}"


def _where(subtask: Subtask) -> str:
    folders = [f"{path.rstrip('/')}/" for path in subtask.writes if is_folder(path)]
    files = [path for path in subtask.writes if not is_folder(path)]
    return (f" Write {', '.join(files)}." if files else "") + (f" Put its files in {', '.join(folders)}" if folders else "")


def _others(subtask: Subtask, plan: Plan) -> str:
    """Says what the other agents will write: interfaces begin with names."""
    others = [f"{', '.join(other.writes)} ({other.title})" for other in plan.subtasks if other.writes and other is not subtask]
    return f"Other agents write: {'; '.join(others)}." if others else ""


def _built_on(part: PartResult) -> str:
    subtask, outcome = part.subtask, part.outcome
    text = outcome.summary
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… (recall {recall_id(text)} shows all)"
    files = f" Files: {', '.join(outcome.files)}" if outcome.files else ""
    return f"- {subtask.title} ({how_it_ended(outcome)}): {short}{files}"
