"""A model that has begun to repeat itself: within an answer, until its tokens run out, or with the same calls over and over."""

from collections import Counter
from collections.abc import Collection, Sequence

from agentic.types import ToolCall, ToolOutput

ENOUGH = 1000  # characters of nothing but the same
TIMES = 10
_PROBE = 24
_EVERY = 200


MAX_SAME = 3


def status_of(done: Sequence[tuple[ToolCall, ToolOutput]], changes: Collection[str]) -> str:
    """How a turn ends in which the model only repeats these calls: "done" where they find done what was done in it.

    Whether that is the task is the judge's business.
    """
    return "done" if changes and not any(output.failed or output.changes for _, output in done) else "gave_up"


class SameCalls:
    """Counts calls that gave the same since the last change: after one, running something again is no repetition.

    A change that is made again and again is: what one call writes, another takes back.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._made: Counter[tuple[str, str, str]] = Counter()
        self._changes = 0

    def clear(self) -> None:
        self._seen.clear()
        self._made.clear()

    def most(self, done: Sequence[tuple[ToolCall, ToolOutput]], changes: int) -> tuple[int, str]:
        """(how often the most repeated of these calls was made, its tool). `changes` counts what was changed so far."""
        if changes != self._changes:
            self._seen.clear()
            self._changes = changes
        keys = [(call.name, call.arguments, output.text) for call, output in done]
        self._seen.update(keys)
        self._made.update(key for key, (_, output) in zip(keys, done, strict=True) if output.changes)
        times = {key: max(self._seen[key], self._made[key]) for key in keys}
        most = max(keys, key=times.__getitem__, default=("", "", ""))
        return times.get(most, 0), most[0]


class Repetition:
    """Watches a stream."""

    def __init__(self) -> None:
        self._tail = ""
        self._unchecked = 0

    def goes_on(self, text: str) -> bool:
        """True if the last ENOUGH characters, or more, are one piece at least TIMES over."""
        self._tail = (self._tail + text)[-4 * ENOUGH :]
        self._unchecked += len(text)
        if self._unchecked < _EVERY or len(self._tail) < ENOUGH:
            return False
        self._unchecked = 0
        before = self._tail.rfind(self._tail[-_PROBE:], 0, len(self._tail) - 1)
        period = len(self._tail) - _PROBE - before
        size = max(ENOUGH, TIMES * period)
        if before < 0 or size > len(self._tail):
            return False
        last = self._tail[-size:]
        return last[period:] == last[:-period]
