"""The prompts of a benchmark: an agent's, which share and grow, and prompts that have nothing in common."""

import random
from collections.abc import Iterable
from typing import Protocol

from agentic import ChatRequest, Message

_WORDS = ("sea", "lamp", "stone", "rope", "wind", "salt", "gull", "keeper", "stair", "glass", "storm", "harbour", "light", "night")
SHARED = 0.4  # of an agent's prompt: system text and tools, the same for all


class Client(Protocol):
    """A client that asks side by side with others, each question after the answer to the one before."""

    def ask(self) -> ChatRequest: ...

    def hear(self, answer: str) -> None: ...


class Stranger:
    """No two prompts begin alike, so that nothing comes from a cache."""

    def __init__(self, words: int, tokens: int, seed: int) -> None:
        self._words, self._tokens, self._random = words, tokens, random.Random(seed)

    def ask(self) -> ChatRequest:
        return _request([Message("user", _text(self._random, self._words))], self._tokens)

    def hear(self, answer: str) -> None:
        """It forgets."""


class AgentShape:
    """A conversation over a system text that all have in common; it grows turn by turn, and begins anew when it is `words` long."""

    def __init__(self, words: int, tokens: int, seed: int) -> None:
        self._words, self._tokens, self._random = words, tokens, random.Random(seed)
        self._system = Message("system", _text(random.Random(0), int(words * SHARED)))
        self._turn = max(8, words // 10)
        self._said: list[Message] = []

    def ask(self) -> ChatRequest:
        if sum(len(message.text.split()) for message in (self._system, *self._said)) + self._turn > self._words:
            self._said = []
        self._said.append(Message("user", _text(self._random, self._turn)))
        return _request([self._system, *self._said], self._tokens)

    def hear(self, answer: str) -> None:
        self._said.append(Message("assistant", answer or "."))


SHAPES: dict[str, type[Stranger] | type[AgentShape]] = {"agent": AgentShape, "unshared": Stranger}


def _request(messages: Iterable[Message], tokens: int) -> ChatRequest:
    return ChatRequest(tuple(messages), max_tokens=tokens, temperature=0.0, extra={"ignore_eos": True}, purpose="bench")


def _text(source: random.Random, words: int) -> str:
    return " ".join(source.choices(_WORDS, k=max(1, words)))
