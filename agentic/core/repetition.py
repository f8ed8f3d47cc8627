"""A model that has begun to repeat itself says nothing new until its tokens run out."""

ENOUGH = 1000  # characters of nothing but the same
TIMES = 10
_PROBE = 24
_EVERY = 200


class Repetition:
    """Watches a stream."""

    def __init__(self) -> None:
        self._tail = ""
        self._unchecked = 0

    def goes_on(self, text: str) -> bool:
        """Whether the last ENOUGH characters, or more, are one piece at least TIMES over."""
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
