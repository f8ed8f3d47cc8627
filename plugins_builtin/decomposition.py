"""A task into two to five subtasks, by the model, held to a schema and checked in code."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from agentic import Decomposer, Llm, Message, ModelOutputError, Plan, Provider, Subtask, hookimpl
from agentic.types import Isolation

PLAN_TOKENS = 900
_TEXT = {"type": "string", "maxLength": 300}
_NAMES = {"type": "array", "items": {"type": "string", "maxLength": 80}, "maxItems": 8}
_FILES = {**_NAMES, "items": {"type": "string", "pattern": "^[A-Za-z0-9_./-]{1,60}([.][A-Za-z0-9]{1,6}|file)$"}}
_SUBTASKS = {
    "type": "array",
    "minItems": 2,
    "maxItems": 6,
    "items": {
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,19}$"},
            "title": {"type": "string", "maxLength": 60},
            "objective": _TEXT,
            "output": _TEXT,
            "done_check": _TEXT,
            "reads": _NAMES,
            "writes": _FILES,
            "depends_on": _NAMES,
            "priority": {"type": "integer", "minimum": 0, "maximum": 9},
        },
        "required": ["id", "title", "objective", "output", "done_check", "reads", "writes", "depends_on", "priority"],
        "additionalProperties": False,
    },
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "subtasks": _SUBTASKS,
        "check": {"type": "string", "maxLength": 120},
        "isolation": {"type": "string", "enum": ["none", "worktree"]},
    },
    "required": ["subtasks", "check", "isolation"],
    "additionalProperties": False,
}
_PROMPT = """Decompose this task into 2 to 5 subtasks for agents that work at the same time. Together they cover all that is \
asked. Each has an id (one lower-case word), a title, an objective (a sentence that says what to build), its output, a done_check \
(how to see that it is done), the file names that it reads and writes, with their endings, depends_on ([], for all begin at once; \
an id only where nothing can be begun without that one's files) and a priority (0 to 9, the urgent ones higher). No two subtasks \
write the same file. check is a shell command that tests the whole, such as "python3 -m pytest -q", or "". isolation is worktree \
where many files of one project change at once, else none. Answer as JSON.

Task: {task}"""
_REPAIR = "That plan cannot be used: {problems}. Answer with the whole corrected plan."
_NAMED = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][A-Za-z]*[a-z][A-Za-z]*\b|\b[\w/-]+\.(?:py|js|ts|go|rs|sql|md)\b")
_NO_NAMES = {"Task", "Python", "English", "Korean"}


class LlmDecomposer:
    """Asks once, and once more with what was wrong."""

    async def decompose(self, task: str, llm: Llm) -> Plan:
        messages = [Message("user", _PROMPT.format(task=task))]
        answer = await llm.complete(messages, _SCHEMA, max_tokens=PLAN_TOKENS)
        plan, problems = _checked(answer, task)
        if problems:
            messages += [Message("assistant", answer), Message("user", _REPAIR.format(problems="; ".join(problems)))]
            plan, problems = _checked(await llm.complete(messages, _SCHEMA, max_tokens=PLAN_TOKENS), task)
        if plan is None or problems:
            raise ModelOutputError(f"the model gave no usable plan: {'; '.join(problems)}")
        return plan


def _checked(answer: str, task: str) -> tuple[Plan | None, list[str]]:
    try:
        found = json.loads(answer)
        found = found if isinstance(found, dict) else {"subtasks": found}  # where the server does not hold it to the schema
        isolation: Isolation = "worktree" if found.get("isolation") == "worktree" else ""
        subtasks = _loosened(tuple(map(Subtask.from_json, found["subtasks"])))
        plan = Plan(subtasks, str(found.get("check") or ""), isolation)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return None, [f"it has no list of subtasks ({type(error).__name__}: {error})"]
    return plan, plan.problems() + _uncovered(plan, task)


def _loosened(subtasks: tuple[Subtask, ...]) -> tuple[Subtask, ...]:
    """Models order whatever they list. A subtask that names what it reads waits only for those that write any of it."""
    writes = {subtask.id: subtask.writes for subtask in subtasks}

    def founded(subtask: Subtask, name: str) -> bool:
        known = subtask.reads and writes.get(name)
        return not known or any(_within(one, other) for one in subtask.reads for other in writes[name])

    return tuple(replace(each, depends_on=tuple(name for name in each.depends_on if founded(each, name))) for each in subtasks)


def _within(one: str, other: str) -> bool:
    """True if they are the same file, or one is a folder around the other."""
    first, second = (PurePosixPath(path) for path in (one, other))
    return first.is_relative_to(second) or second.is_relative_to(first)


def _uncovered(plan: Plan, task: str) -> list[str]:
    """Technologies and files that the task names and no subtask does."""
    text = " ".join(
        f"{each.id} {each.title} {each.objective} {each.output} {' '.join(each.writes + each.reads)}" for each in plan.subtasks
    ).lower()
    missing = [name for name in dict.fromkeys(_NAMED.findall(task)) if name not in _NO_NAMES and name.lower() not in text]
    return [f"no subtask covers {', '.join(missing)}"] if missing else []


@hookimpl
def agentic_decomposers() -> Iterable[Provider[Decomposer]]:
    yield Provider("llm", "asks the model for two to five subtasks and checks them", lambda setup: LlmDecomposer(), default=True)
