"""A task into two to five subtasks, by the model."""

import json
from collections.abc import Iterable

from agentic import Decomposer, Llm, Message, ModelOutputError, Plan, Provider, Subtask, hookimpl

_SCHEMA = {
    "type": "array",
    "minItems": 2,
    "maxItems": 5,
    "items": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "description": {"type": "string"}},
        "required": ["id", "description"],
        "additionalProperties": False,
    },
}
_PROMPT = """Decompose this task into 2 to 5 independent subtasks. Each description says which files the subtask writes; no two \
subtasks write the same file.

Task: {task}"""


class LlmDecomposer:
    async def decompose(self, task: str, llm: Llm) -> Plan:
        try:
            items = json.loads(await llm.complete([Message("user", _PROMPT.format(task=task))], _SCHEMA, max_tokens=800))
            subtasks = tuple(Subtask(str(item["id"]), str(item["description"])) for item in items)
        except (ValueError, KeyError, TypeError) as error:
            raise ModelOutputError(f"the model gave no plan: {error}") from error
        if len({subtask.id for subtask in subtasks}) != len(subtasks) or len(subtasks) < 2:
            raise ModelOutputError("the model's plan has fewer than two subtasks, or two with one id")
        return Plan(subtasks)


@hookimpl
def agentic_decomposers() -> Iterable[Provider[Decomposer]]:
    yield Provider("llm", "asks the model for two to five independent subtasks", lambda setup: LlmDecomposer())
