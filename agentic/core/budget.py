"""How many tokens a prompt may have, and what each part of it may take."""

DEFAULT_WINDOW = 4096
MAX_ANSWER = 16_384
TRIM_TO = 0.6
_TIERS = (("nano", 8_000, 700), ("small", 24_000, 1_500), ("full", 0, 4_000))


class Budget:
    """`window` tokens, `answer` of them kept for the answer (in proportion to `reserved` of 4096), the rest for the prompt.

    `tier` is how much the fixed text may say (system text and tools: nano 700 tokens, small 1,500, full 4,000).
    """

    def __init__(self, window: int, reserved: int) -> None:
        self.window = self._said = window or DEFAULT_WINDOW
        self._share = min(0.5, reserved / DEFAULT_WINDOW)
        self.answer = self._answer_of(self.window)
        self.prompt = self.window - self.answer
        self.tier, _, self.fixed = next(tier for tier in _TIERS if self.prompt < tier[1] or not tier[1])

    @property
    def instructions(self) -> int:
        """The most that a project's own instructions may take."""
        return self.prompt // 8

    @property
    def result(self) -> int:
        """The most that one tool result may take: a quarter of what is left for the history."""
        return (self.prompt - min(self.fixed, self.prompt // 2)) // 4

    def room_for_answer(self, prompt: int, long: bool = False) -> int:
        """`max_tokens` beside a prompt of that length: never more than the window has left, and all of it for a `long` one."""
        left = self.window - prompt
        return max(1, left if long else min(self.answer, left))

    def shrink(self, prompt: int, limit: int = 0) -> None:
        """The server found a prompt of that length too long: the window is smaller than it said. `limit` is what it says now."""
        if 0 < limit < self.window:
            self.window, self.answer = limit, self._answer_of(limit)
        self.prompt = max(1, min(self.prompt, int(prompt * TRIM_TO), self.window - self.answer))

    def restore(self) -> None:
        """Restores the sizes from before any `shrink`."""
        self.window, self.answer = self._said, self._answer_of(self._said)
        self.prompt = self.window - self.answer

    def _answer_of(self, window: int) -> int:
        return max(1, min(MAX_ANSWER, int(window * self._share)))
