"""How requests say it: the words of a chat template, and effort in the field of its own."""

from typing import Any


def to_template(**words: Any) -> dict[str, dict[str, Any]]:
    """The field by which a request speaks to its chat template."""
    return {"chat_template_kwargs": words}


def by_word(*words: str, **more: Any) -> dict[str, dict[str, Any]]:
    """For each word of effort the field that says it, with `more` fields."""
    return {word: {"reasoning_effort": word, **more} for word in words}


OFF, ON = to_template(enable_thinking=False), to_template(enable_thinking=True)
