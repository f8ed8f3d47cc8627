"""A task's result as JSON of a schema."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentic.core.context import Context
from agentic.errors import ModelOutputError
from agentic.lib.messages import flattened
from agentic.lib.schemas import UncheckableError, problems
from agentic.lib.wire.request import held_to
from agentic.types import ChatRequest, Message


async def shaped(context: Context, prompts: Callable[..., str], schema: Mapping[str, Any]) -> str:
    """Returns the result of what was said last as JSON that the schema allows: the server is held to it, and it is checked here.

    Raises ModelOutputError where a second try is no better.
    """

    def make(messages: Sequence[Message]) -> ChatRequest:
        return ChatRequest(tuple(flattened(messages)), temperature=0.0, response_format=held_to(schema), purpose="result")

    ask = prompts("result.schema", schema=json.dumps(schema))
    wrong = ""
    for _ in range(2):
        text = await context.aside(f"{ask}\n{wrong}".strip(), make)
        if not (wrong := _violation(text, schema)):
            return text
    raise ModelOutputError(f"the result is not what the schema allows: {wrong}", "a larger model, or a simpler schema")


def _violation(text: str, schema: Mapping[str, Any]) -> str:
    """Returns the first problem with the text as JSON of this schema, "" for none."""
    try:
        found = problems(json.loads(text), schema)
    except ValueError as error:
        return f"it was no JSON: {error}"
    except UncheckableError as error:
        return f"the schema cannot be checked ({error})"
    return str(found[0].message) if found else ""
