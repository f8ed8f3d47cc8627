"""vLLM's route for several prompts in one request."""

from agentic import Answer, Message
from agentic.lib.wire import loads, usage_of


def answers_in(body: bytes, count: int) -> list[Answer]:
    """The answers in a response, in order. Raises ValueError, KeyError, TypeError, AttributeError for what is none."""
    whole = loads(body)
    choices = sorted(whole["choices"], key=lambda choice: int(choice["index"]))
    answers = [choice["message"] for choice in choices]
    if len(answers) != count:
        raise ValueError(f"{len(answers)} answers to {count} prompts")
    usage = usage_of(whole.get("usage"))  # of them all
    made = [Message("assistant", each.get("content") or "", each.get("reasoning") or "") for each in answers]
    return [Answer(message, "stop", None if number else usage) for number, message in enumerate(made)]
