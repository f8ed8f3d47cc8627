"""The model's opinion, asked for only where the rules are unsure: three short votes in one batch, the majority counts."""

import json
import math
from collections import Counter
from dataclasses import replace
from typing import Any

from agentic import AgenticError, Complexity, Llm, Message
from plugins_builtin.complexity.rules import by_rules

VOTES = 3
VOTE_TOKENS = 120
_MAX_TASK = 4_000  # characters: what a task is stands at its beginning or its end
_SURE_BELOW, _SURE_ABOVE = 0.45, 0.75
_KINDS = ("question", "small_edit", "sequential", "separable")
_SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": list(_KINDS)},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "parts": {"type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": 6},
        "reason": {"type": "string", "maxLength": 120},
    },
    "required": ["kind", "score", "parts", "reason"],
    "additionalProperties": False,
}
_PROMPT = """How complex is this programming task? score: 0.0 is a trivial change, 0.5 a module of its own, 1.0 a whole system. \
kind: question; small_edit; sequential, where each step needs the one before; separable, where parts can be built independently of \
each other. parts: the names of those parts. Answer as JSON.

Task: {task}"""
# The same question three times would be one vote at temperature 0.
_VIEWS = ("", "Think of who would have to wait for whom.\n\n", "Think of which files two people would both have to change.\n\n")


class LlmEstimator:
    """Never spawns on junk or on disagreement."""

    async def estimate(self, task: str, llm: Llm) -> Complexity:
        guess = by_rules(task)
        if not guess.separable or not _SURE_BELOW <= guess.score < _SURE_ABOVE:
            return guess
        shown = task if len(task) <= _MAX_TASK else f"{task[: _MAX_TASK // 2]}\n…\n{task[-_MAX_TASK // 2 :]}"
        prompts = [[Message("user", view + _PROMPT.format(task=shown))] for view in _VIEWS[:VOTES]]
        try:
            answers = await llm.gather(prompts, _SCHEMA, max_tokens=VOTE_TOKENS)
        except AgenticError as error:
            return _alone(guess, f"the model could not be asked ({error})")
        return _counted(guess, [vote for vote in map(_read, answers) if vote is not None])


def _counted(guess: Complexity, votes: list[dict[str, Any]]) -> Complexity:
    """The majority of all that were asked; without one, one agent does it."""
    kinds = Counter(vote["kind"] for vote in votes)
    kind, count = kinds.most_common(1)[0] if kinds else ("", 0)
    if count * 2 <= VOTES:
        return _alone(guess, f"the votes disagree: {', '.join(sorted(kinds)) or 'none could be read'}")
    agreeing = [vote for vote in votes if vote["kind"] == kind]
    score = round(sum(vote["score"] for vote in agreeing) / count, 2)
    parts = max((tuple(vote["parts"]) for vote in agreeing), key=len)
    reasons = (*guess.reasons, f"{count} of {VOTES} votes: {kind}", agreeing[0]["reason"])
    return replace(
        guess, score=score, separable=kind == "separable" and len(parts) >= 2, reasons=reasons, parts=parts or guess.parts
    )


def _alone(guess: Complexity, why: str) -> Complexity:
    return replace(guess, separable=False, reasons=(*guess.reasons, why))


def _read(answer: str) -> dict[str, Any] | None:
    """A vote; None for prose, 1.7, NaN, nothing."""
    try:
        vote = json.loads(answer)
        score = float(vote["score"])
        if vote["kind"] not in _KINDS or not math.isfinite(score) or not 0 <= score <= 1:
            return None
        parts = [str(part) for part in vote["parts"] if isinstance(part, str)]
        return {"kind": vote["kind"], "score": score, "parts": parts[:6], "reason": str(vote["reason"])[:120]}
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
