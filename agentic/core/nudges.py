"""A word to a model whose answer asks for nothing and is no final one: calls in its text, only what it will do, a cut text."""

from collections.abc import Callable

from agentic.core.model_call import ModelCall
from agentic.hooks.protocol import Turn
from agentic.lib.announcing import announces
from agentic.types import Message

MAX_CUT = 3
MAX_THOUGHT = 1_000  # characters of its end that the model is told


class Nudges:
    """The nudges of one agent. `cut` counts the answers in a row that their limit cut."""

    def __init__(self, model: ModelCall, prompts: Callable[..., str]) -> None:
        self._model = model
        self._prompts = prompts
        self._told: set[str] = set()
        self.cut = 0

    def begin(self) -> None:
        """A new task."""
        self._told.clear()
        self.cut = 0

    def about(self, answer: Message, turn: Turn, cut_off: bool) -> str:
        """Returns the text to tell the model instead of taking its answer for the last one, "" where it may be."""
        self.cut = self.cut + 1 if cut_off and not turn.calls else 0
        if self._model.thought_too_long:
            return self._prompts("turn.thought_ended", thought=answer.reasoning[-MAX_THOUGHT:].strip())
        if turn.calls or turn.problem:
            return ""
        if self._model.quotes and self._is_first("turn.quotes"):
            return self._prompts("turn.quotes")
        insists = self._model.as_text == "call" and not self._model.calls_natively
        if self._model.as_text and (self._is_first("turn.as_text") or insists):
            return self._prompts("turn.as_text")
        if cut_off:
            return self._prompts("turn.cut", tokens=f"{self._model.made:,}")
        if self._model.announces and self._is_first("announced"):
            return self._prompts("turn.only_thought")
        if announces(answer.text) and self._is_first("turn.announced"):
            return self._prompts("turn.announced")
        if not answer.text.strip():
            return self._prompts("turn.only_thought" if answer.reasoning else "turn.empty")
        return ""

    def _is_first(self, name: str) -> bool:
        is_first = name not in self._told
        self._told.add(name)
        return is_first

    @property
    def gave_up(self) -> str:
        """Why no more of them is of use, "" while they are."""
        return (
            f"the answer was cut by its limit of {self._model.made:,} tokens (llm.max_tokens, or the server's own)"
            if self.cut >= MAX_CUT
            else ""
        )
