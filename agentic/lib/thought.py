"""A thought that must end: how many tokens it may have, and when they are over."""

from agentic.types import Delta

MOST = 32_768  # tokens, where nobody said how many
SHARE = 0.75  # of what an answer may have: the rest is for the answer itself
GRACE = 1.1  # over a limit that the server was told, too
_CHARACTERS = 6  # that a token has at most, on the average of a text


class ThoughtLimit:
    """Counts the tokens of a thought. `tokens` as the user set it, 0 for the usual; `answer` is all that the answer may have."""

    def __init__(self, tokens: int, answer: int | None) -> None:
        most = min(tokens or MOST, int((answer or 2 * MOST) * SHARE))
        self._left = most * GRACE if tokens else float(most)
        self._pieces = self._characters = 0
        self.passed = False

    def add(self, delta: Delta) -> bool:
        """True once it is passed. A thought that has begun to be an answer is over."""
        if delta.restart or delta.text or delta.tool_calls:
            self._pieces = self._characters = 0
        elif delta.reasoning:
            self._pieces += len(delta.token_ids) or 1
            self._characters += len(delta.reasoning)
            self.passed = max(self._pieces, self._characters / _CHARACTERS) > self._left
        return self.passed
