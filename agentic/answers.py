"""A model's answer: as it comes in pieces, whole, or broken off."""

from dataclasses import dataclass, field

from agentic.lib.record import record
from agentic.messages import Message


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of a tool call; pieces with one `index` belong together, `id` and `name` may come late, split or never."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@record(frozen=True)
class Usage:
    """Tokens as the server counted them; `cached_tokens` is None where it does not tell. `block` is the unit of its cache."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    block: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        known = [count for count in (self.cached_tokens, other.cached_tokens) if count is not None]
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            sum(known) if known else None,
        )


@dataclass(frozen=True)
class Delta:
    """A piece of an answer. `restart` says that all pieces before it are void: another endpoint begins the answer anew.

    `void_calls` says it of the tool calls alone: another endpoint goes on, and asks for an unfinished call again. `prompt_ids` and
    `token_ids` are the numbers of the prompt's and of this piece's tokens, where the request wanted them. `prefilled` comes before
    an answer's first token: (tokens of the prompt that are computed, of how many; 0 where the server does not say).
    `thought_as` is as in `Message`. `by_ids` says that this was read from the token ids: pieces of calls can be gone on with, too.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish_reason: str = ""
    usage: Usage | None = None
    restart: bool = False
    void_calls: bool = False
    prompt_ids: tuple[int, ...] = ()
    token_ids: tuple[int, ...] = ()
    prefilled: tuple[int, int] | None = None
    thought_as: str = ""
    by_ids: bool = False


THOUGHT_ENDED = "thought"
"""The `finish_reason` of an answer whose thought was ended by its limit."""
ANNOUNCED = "announced"
"""The `finish_reason` of an answer that only says what will be done, in a format that tells that from a final one."""


@record(frozen=True)
class Answer:
    """A whole answer; `usage` where the server told."""

    message: Message
    finish_reason: str = ""
    usage: Usage | None = None


@record(slots=True)
class PartialAnswer:
    """The part of an answer that came before its stream broke.

    `shown` of the `token_ids` make the text and reasoning that was delivered, and the calls where it is read from its ids.
    """

    prompt_ids: tuple[int, ...] = ()
    token_ids: list[int] = field(default_factory=list)
    shown: int = 0
    size: int = 0
    reasoning: bool = False
    text: bool = False

    def add(self, delta: Delta) -> None:
        self.prompt_ids = delta.prompt_ids or self.prompt_ids
        self.token_ids += delta.token_ids
        self.size += len(delta.text) + len(delta.reasoning) + len(delta.tool_calls)
        self.reasoning = self.reasoning or bool(delta.reasoning)
        self.text = self.text or bool(delta.text)
        if delta.text or delta.reasoning or (delta.by_ids and delta.tool_calls):
            self.shown = len(self.token_ids)

    def go_on(self) -> None:
        """Drops the tokens that were not delivered, so that they are made again."""
        del self.token_ids[self.shown :]
