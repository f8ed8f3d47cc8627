"""The events of attempts, for `--output jsonl`, sessions and observers."""

from typing import Any

from agentic import Event


class AttemptJudged(Event):
    """An attempt at a task, by its `number`, was looked at: `tests` says how many pass of how many, (0, 0) where no runner says so.

    `status` is done, unchecked, gave_up or asks; `state` says it to people. Tokens and `seconds` are what it took so far.
    """

    type = "attempt_judged"
    number: int
    status: str
    state: str
    failures: int = 0
    tests: tuple[int, ...] = (0, 0)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class AttemptsChosen(Event):
    """The attempt that was taken, 0 for none, and `how`: proved, fewest_failures, only_change, agreement, comparison, no_change.

    `agree` of them answer alike. Each of `attempts` has the fields of its last `attempt_judged`, and its `diff`. `seconds` are what
    all of them took, `alone` those after which the first had come to its end.
    """

    type = "attempts_chosen"
    number: int
    how: str
    why: str
    agree: int = 0
    attempts: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    alone: float = 0.0
