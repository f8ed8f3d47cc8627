"""Parts of the work to sub-agents, in the middle of it. One call starts them all: gpt-oss makes one call a turn."""

from collections.abc import Mapping
from typing import Any

from agentic import Plan, Subtask, ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace
from agentic.types import MAX_DELEGATED, Isolation

_TITLE_WORDS = 6


class Delegate:
    spec = ToolSpec(
        "delegate",
        "Has sub-agents do tasks at the same time.",
        {
            "type": "object",
            "properties": {
                "tasks": {
                    "type": "array",
                    "items": {"type": ["string", "object"]},
                    "description": "what each has to do, and in which files",
                },
                "isolation": {"type": "string", "enum": ["none", "worktree"], "description": "worktree: a git worktree for each"},
            },
            "required": ["tasks"],
            "additionalProperties": False,
        },
        "read",
        "For parts of some size that need nothing of each other. A sub-agent knows its task's words and nothing else, and"
        " no two may write the same file. Look at what came of them before you go on.",
        refinements=("isolation",),
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._delegate = setup.delegate

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        isolation: Isolation = "worktree" if arguments.get("isolation") == "worktree" else ""
        plan = Plan(tuple(_subtask(number, task) for number, task in enumerate(arguments["tasks"], 1)), isolation=isolation)
        if problems := plan.problems(1, MAX_DELEGATED):
            raise ToolError(f"nothing was begun: {'; '.join(problems)}")
        outcome = await self._delegate(plan)
        return ToolOutput(outcome.summary, failed=outcome.status != "done")


def _subtask(number: int, task: object) -> Subtask:
    """From a text; or from an object like a plan's, which models make of it as well. Raises ToolError telling the model."""
    try:
        if isinstance(task, Mapping):
            return Subtask.from_json(task)
        words = str(task).split()
        if not words:
            raise ValueError("nothing is said")
        title = " ".join(words[:_TITLE_WORDS]) + (" …" if len(words) > _TITLE_WORDS else "")
        return Subtask.from_json({"id": f"{number} {title}", "title": title, "objective": task if title[-1:] == "…" else ""})
    except ValueError as error:
        raise ToolError("each task is a text that says what to do") from error
