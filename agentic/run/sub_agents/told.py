"""What a sub-agent is told. All that is its own stands in its newest message: what comes before is the same for every child."""

from collections.abc import Iterable

from agentic.run.sub_agents.leases import is_folder
from agentic.types import Outcome, Subtask, recall_id

MAX_SHOWN = 400  # characters of what a part produced, for those that build on it
STATUS_WORDS = {"done": "done", "skipped": "not begun", "timeout": "out of time", "limit": "out of turns", "gave_up": "gave up"}


def told(subtask: Subtask, task: str, turns: int, needed: Iterable[tuple[Subtask, Outcome]], in_a_few_words: bool) -> str:
    """`needed` are the parts that it depends on, with what came of them. A few words are what very small models bear."""
    folders = [f"{path.rstrip('/')}/" for path in subtask.writes if is_folder(path)]
    files = [path for path in subtask.writes if not is_folder(path)]
    where = f" Write {', '.join(files)}." if files else ""
    where += f" Put its files in {', '.join(folders)}" if folders else ""
    before = [_built_on(*part) for part in needed]
    if in_a_few_words:
        lines = [f"{subtask.description}{where}", f"This is one part of a larger task, do only this part. The larger task: {task}"]
    else:
        lines = [
            f"{subtask.description}{where}",
            f"You do one part of a larger task, and only that part: other agents do the others now. The larger task: {task}",
            f"Look at {', '.join(subtask.reads)}." if subtask.reads else "",
            f"Output: {subtask.output}" if subtask.output else "",
            f"It is done when: {subtask.done_check}" if subtask.done_check else "",
            f"You have {turns} turns. At the end say what you did, and begin a line with `Open:` for what is missing or undecided.",
        ]
    return "\n".join(filter(None, [*lines, *(["What it builds on:", *before] if before else [])]))


def _built_on(subtask: Subtask, outcome: Outcome) -> str:
    text = outcome.summary
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… (recall {recall_id(text)} shows all)"
    files = f" Files: {', '.join(outcome.files)}" if outcome.files else ""
    return f"- {subtask.title} ({how_it_ended(outcome)}): {short}{files}"


def how_it_ended(outcome: Outcome) -> str:
    return STATUS_WORDS.get(outcome.status, outcome.status)
