"""Families of models: what is true of each, and what that makes of a request.

A family is facts. What is not known of it stays at its default: nothing is sent, and every thought goes back, since the server's
own template then drops what it does not want.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Literal

from agentic.lib.record import record
from agentic.types import ChatRequest, Message, ToolCall, ToolSpec

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
Thoughts = Literal["always", "user", "final", "never"]
"""How long a thought goes back: for good; until the next message of the user; until the next answer without calls; not at all."""


@record(frozen=True)
class Family:
    """A family of models.

    `source` says where these facts stand, with the date. `models` is a regular expression over what a server says of its model
    (its name, and where that came from, in lower case), `template` one over its chat template, where the server shows it, `mark`
    one over the prompt that the server makes of `SAMPLES`.

    `thoughts` is how long they go back. `keep` are fields of a request by which the server keeps them for good.
    `efforts` are fields of a request for each word of effort that the family knows, {} for one that has no such thing, None where
    that is not known. `effort_first`: the word stands at the prompt's beginning, so another one costs the cache.
    `sampling` is what the makers say, `questions` the effort for questions beside a conversation.
    `budget`: vLLM can bound its thoughts. `tools` stand only in this family's prompt, `instead_of` those that they replace.
    `tool_parser` and `reasoning_parser` are vLLM's names. `calls`, `slips` are the shape of a call in the text and what goes wrong
    with it, `says_first`: a word on what it will do comes before a call.
    `cache`: "hybrid" where only some layers have a KV cache. `flags` are further words for vLLM's command line.
    """

    name: str
    source: str
    models: str
    template: str = ""
    mark: str = ""
    thoughts: Thoughts = "always"
    keep: Mapping[str, Any] = field(default_factory=dict)
    efforts: Mapping[str, Mapping[str, Any]] | None = None
    effort_first: bool = False
    sampling: Mapping[str, float] = field(default_factory=dict)
    questions: str = ""
    budget: bool = True
    tools: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()
    tool_parser: str = ""
    reasoning_parser: str = ""
    calls: str = ""
    slips: str = ""
    says_first: bool = True
    cache: str = "full"
    flags: tuple[str, ...] = ()

    @property
    def least(self) -> str:
        """The word for as little thought as it can do with."""
        return "low" if self.efforts is None else self.word("none")

    def word(self, effort: str) -> str:
        """The word of effort that it knows nearest to this one, the higher of two; "" where it knows none."""
        if not effort or self.efforts is None:
            return effort
        known = [word for word in EFFORTS if word in self.efforts]
        place = EFFORTS.index(effort) if effort in EFFORTS else -1
        return min(known, key=lambda word: (abs(EFFORTS.index(word) - place), -EFFORTS.index(word)), default="")

    def fields(self, effort: str) -> Mapping[str, Any]:
        """The fields of a request with that effort."""
        word = self.word(effort)
        return (self.efforts or {}).get(word, {}) if self.efforts is not None else {"reasoning_effort": word} if word else {}


UNKNOWN = Family("unknown", "nothing is known of this model", "")
_THOUGHT = "Thought number {}."


def _sample() -> tuple[Message, ...]:
    """Two tasks, with a word of the user's within the second: which thoughts stand in the prompt tells the family's rule."""

    def step(number: int) -> tuple[Message, Message]:
        made = ToolCall(f"callabcd{number}", "look", f'{{"path": "{number}.py"}}')
        return Message("assistant", "", _THOUGHT.format(number), (made,)), Message("tool", "empty", tool_call_id=made.id)

    answer = Message("assistant", "It is empty.", _THOUGHT.format(2))
    one, two, three = (Message("user", word) for word in ("Read 1.py.", "Read 3.py.", "Read 4.py, too."))
    return (Message("system", "You work."), one, *step(1), answer, two, *step(3), three, *step(4))


_LOOK = ToolSpec("look", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]})
_THINKING = {"thinking": True, "enable_thinking": True}
SAMPLES = tuple(
    ChatRequest(_sample(), (_LOOK,), extra={"chat_template_kwargs": words})
    for words in (_THINKING, {**_THINKING, "preserve_thinking": True, "clear_thinking": False})
)
"""Conversations whose prompts, as a server makes them, tell the family of its model; the second asks that thoughts be kept."""
_UNTIL = {
    "always": "thoughts go back for good",
    "user": "thoughts go back until your next message",
    "final": "thoughts go back until its next answer",
    "never": "no thought goes back",
}


def about(family: Family) -> str:
    """A line on what the family takes."""
    words = "any effort" if family.efforts is None else f"effort {', '.join(family.efforts)}" if family.efforts else "no effort"
    kept = f", {', '.join(_names(family.keep))} keeps them" if family.keep else ""
    return f"family {family.name}: {_UNTIL[family.thoughts]}{kept}; {words}"


def _names(fields: Mapping[str, Any]) -> Iterable[str]:
    for name, value in fields.items():
        yield from _names(value) if isinstance(value, Mapping) else (f"{name}={value}",)


def family_of(served: str, families: Iterable[Family], template: str = "", shown: Sequence[str] = ()) -> Family:
    """The first family whose name fits what is served, else whose template does, else one whose prompts are those `shown`."""
    known, said = list(families), served.lower()
    by_name = (each for each in known if each.models and re.search(each.models, said))
    by_template = (each for each in known if template and each.template and re.search(each.template, template))
    return next(by_name, None) or next(by_template, None) or (_by_prompt(known, *shown) if len(shown) == 2 else UNKNOWN)


def _by_prompt(families: Sequence[Family], usual: str, keeping: str) -> Family:
    """The last family that writes such prompts and keeps those thoughts. Newer models of a maker accept the fields of older ones.

    What was seen of the thoughts holds, whatever is known of the family.
    """
    thoughts, can_keep = _kept_in(usual), _kept_in(keeping) == "always" != _kept_in(usual)
    alike = [each for each in families if each.mark and re.search(each.mark, usual)]
    exact = [each for each in alike if each.thoughts == thoughts and bool(each.keep) == can_keep]
    oldest = (exact or alike or [UNKNOWN])[-1]
    return replace(oldest, thoughts=thoughts, keep=oldest.keep if can_keep else {})


def _kept_in(prompt: str) -> Thoughts:
    """How long thoughts go back, by those of the sample that stand in its prompt."""
    match [number for number in range(1, 5) if _THOUGHT.format(number) in prompt]:
        case []:
            return "never"
        case [4]:
            return "user"
        case [3, 4]:
            return "final"
    return "always"


def with_older(family: Family, profile: Any) -> Family:
    """The family with what a protocol's profile says of the model, as it did before there were families."""
    said = {"temperature": profile.temperature, "top_p": profile.top_p}
    sampling = {**family.sampling, **{name: value for name, value in said.items() if value is not None}}
    if not (profile.tools or profile.instead_of or profile.efforts or sampling != family.sampling):
        return family
    return replace(
        family,
        sampling=sampling,
        questions=dict(profile.efforts).get("question", family.questions),
        tools=(*family.tools, *profile.tools),
        instead_of=(*family.instead_of, *profile.instead_of),
    )


def as_known(family: Family, request: ChatRequest, usual: ChatRequest, has_room: bool) -> ChatRequest:
    """The request as its model wants it, where it and the `usual` one, of the settings, leave that open.

    Where the window `has_room`, thoughts are kept for good if the family can do that: so what was computed stays in the cache.
    """
    effort = request.effort or usual.effort or (family.questions if request.purpose == "question" else "")
    asked, keep, sampling = joined(family.fields(effort)), family.keep if has_room else {}, dict(family.sampling)
    tokens = request.thinking_tokens or usual.thinking_tokens
    bound = {"thinking_token_budget": tokens} if tokens and family.budget else {}  # vLLM's name
    temperatures = (request.temperature, usual.temperature, sampling.pop("temperature", None))
    return replace(
        request,
        messages=tuple(without_old_thoughts(request.messages, "always" if keep else family.thoughts)),
        temperature=next((each for each in temperatures if each is not None), None),
        max_tokens=request.max_tokens if request.max_tokens is not None else usual.max_tokens,
        effort=asked.pop("reasoning_effort", ""),
        thinking_tokens=tokens,
        extra=joined(sampling, keep, bound, asked, usual.extra, request.extra),
    )


def without_old_thoughts(messages: Sequence[Message], until: Thoughts) -> list[Message]:
    """The messages with the thoughts that still go back."""
    last = _last_place(messages, until)
    return [replace(m, reasoning="") if place <= last and m.reasoning else m for place, m in enumerate(messages)]


def _last_place(messages: Sequence[Message], until: Thoughts) -> int:
    """The place of the last message before, and at, which thoughts are dropped."""
    match until:
        case "never":
            return len(messages)
        case "user":
            return max((place for place, m in enumerate(messages) if m.role == "user"), default=-1)
        case "final":
            ends = (place for place, m in enumerate(messages) if m.role == "assistant" and m.content and not m.tool_calls)
            return max(ends, default=-1)
    return -1


def joined(*fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a request, the later ones over the earlier, tables within them joined.

    >>> joined({"a": 1, "t": {"x": 1}}, {"t": {"y": 2}})
    {'a': 1, 't': {'x': 1, 'y': 2}}
    """
    made: dict[str, Any] = {}
    for each in fields:
        for name, value in each.items():
            before = made.get(name)
            made[name] = joined(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return made
