"""Is this one agent's work? Rules that cost nothing, and the model's opinion where they leave a doubt."""

import json
import re
from collections.abc import Iterable
from typing import Any

from agentic import AgenticError, Complexity, ComplexityEstimator, Llm, Message, Provider, hookimpl

_PARTS = {
    "frontend": r"front-?end|react|vue|angular|\bui\b|web ?page|프론트엔드|화면",
    "backend": r"back-?end|fastapi|flask|django|express|\bapi\b|server|백엔드|서버",
    "database": r"database|postgres\w*|mysql|sqlite|schema|migrations?|데이터베이스",
    "tests": r"(unit|integration|end-to-end|e2e) tests|test suite|테스트",
    "documentation": r"documentation|user guide|문서",
    "deployment": r"docker\w*|kubernetes|ci pipeline|deployment|배포",
    "application": r"full[- ]?stack|microservices?|풀스택",
}
_LONG_TASK_WORDS = 120
_MAX_TASK = 4_000  # characters: what a task is stands at its beginning or its end
_SURE_BELOW, _SURE_ABOVE = 0.35, 0.8

_SCHEMA = {
    "type": "object",
    "properties": {
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "separable": {"type": "boolean"},
        "reason": {"type": "string", "maxLength": 160},
    },
    "required": ["score", "separable", "reason"],
    "additionalProperties": False,
}
_PROMPT = """How complex is this programming task? Consider the number of components, the technical scope (frontend, backend, \
database, tests) and the lines of code. score: 0.0 is a trivial change, 0.5 a module of its own, 1.0 a whole system. separable: \
whether its parts can be built independently.

Task: {task}"""


class RulesEstimator:
    """Counts the named components and the words: free, and the same every time."""

    async def estimate(self, task: str, llm: Llm) -> Complexity:
        parts = [name for name, pattern in _PARTS.items() if re.search(pattern, task, re.IGNORECASE)]
        length = min(len(task.split()) / _LONG_TASK_WORDS, 1.0)
        score = min(1.0, 0.15 + 0.2 * max(0, len(parts) - 1) + 0.3 * length)
        reasons = (f"names {', '.join(parts)}" if parts else "names no component", f"{len(task.split())} words")
        return Complexity(round(score, 2), len(parts) >= 2, reasons)


class LlmEstimator:
    """The rules where they are sure, else the model's opinion; without a usable one, the rules' again."""

    async def estimate(self, task: str, llm: Llm) -> Complexity:
        guess = await RulesEstimator().estimate(task, llm)
        if not _SURE_BELOW <= guess.score < _SURE_ABOVE:
            return guess
        try:
            shown = task if len(task) <= _MAX_TASK else f"{task[: _MAX_TASK // 2]}\n…\n{task[-_MAX_TASK // 2 :]}"
            answer = await llm.complete([Message("user", _PROMPT.format(task=shown))], _SCHEMA, max_tokens=120)
            return _read(json.loads(answer))
        except (AgenticError, ValueError, KeyError, TypeError) as error:
            return Complexity(guess.score, guess.separable, (*guess.reasons, f"the model gave no usable estimate ({error})"))


def _read(answer: Any) -> Complexity:
    score = float(answer["score"])
    if not 0 <= score <= 1:
        raise ValueError(f"score {score}")
    return Complexity(score, bool(answer["separable"]), (str(answer["reason"]),))


@hookimpl
def agentic_complexity_estimators() -> Iterable[Provider[ComplexityEstimator]]:
    yield Provider("llm", "free rules, and the model where they leave a doubt", lambda setup: LlmEstimator())
    yield Provider("rules", "counts components and words; no model call", lambda setup: RulesEstimator())
