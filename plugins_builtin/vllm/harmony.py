"""gpt-oss prompts, counted as vLLM 0.32 builds them (`entrypoints/openai/parser/harmony_utils.py`).

Its `/tokenize` goes through the chat template instead of harmony and is wrong for these models.
"""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

from agentic import AgenticError, ChatRequest, Message, ToolSpec
from agentic.extras import pip_install

_ANSWER_START = 2  # <|start|>assistant
_DATE = "2026-01-01"  # any date has as many tokens


def is_gpt_oss(model: str) -> bool:
    return "gpt-oss" in model.lower()


def count(request: ChatRequest) -> int:
    """The prompt's tokens. Raises AgenticError without the oss-harmony package."""
    messages = list(request.messages)
    instructions = messages.pop(0).text if messages and messages[0].role == "system" else None
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    final = max((i for i, message in enumerate(messages) if _is_final(message)), default=-1)
    total = _preamble_tokens(instructions, _Tools(request.tools), request.effort) + _ANSWER_START
    for number, message in enumerate(messages):
        total += _message_tokens(message, f"functions.{names.get(message.tool_call_id, '')}", number > final)
    return total


def _is_final(message: Message) -> bool:
    """Reasoning up to the last such answer is dropped."""
    return message.role == "assistant" and bool(message.text) and not message.tool_calls


class _Tools:
    """Tools as a key for the cache: a session's are frozen, so who they are is enough."""

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self.specs = tools
        self._key = tuple(map(id, tools))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Tools) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=32)
def _preamble_tokens(instructions: str | None, tools: _Tools, effort: str) -> int:
    harmony = _harmony()
    system = harmony.SystemContent.new().with_conversation_start_date(_DATE)
    if named := harmony.ReasoningEffort.__members__.get(effort.upper()):  # a server refuses the others
        system = system.with_reasoning_effort(named)
    parts = [harmony.Message.from_role_and_content(harmony.Role.SYSTEM, system)]
    if instructions or tools.specs:
        developer = harmony.DeveloperContent.new()
        if instructions is not None:
            developer = developer.with_instructions(instructions)
        if tools.specs:
            described = [harmony.ToolDescription.new(t.name, t.description, parameters=dict(t.parameters)) for t in tools.specs]
            developer = developer.with_function_tools(described)
        parts.append(harmony.Message.from_role_and_content(harmony.Role.DEVELOPER, developer))
    conversation = harmony.Conversation.from_messages(parts)  # the system message tells of the developer's tools
    return len(encoding().render_conversation(conversation))


@lru_cache(maxsize=8192)
def _message_tokens(message: Message, answers: str, keeps_reasoning: bool) -> int:
    known = encoding()
    total = sum(len(known.render(part)) for part in _parts(message, answers, keeps_reasoning))
    for call in message.tool_calls:  # the header that vLLM rewrites harmony's own to
        header = f"<|start|>assistant to=functions.{call.name}<|channel|>commentary json<|message|>"
        total += len(known.encode(header, allowed_special="all")) + len(known.encode(call.arguments, disallowed_special=())) + 1
    return total


def _parts(message: Message, answers: str, keeps_reasoning: bool) -> Iterator[Any]:
    """Yields the harmony messages for a message of the wire, its tool calls apart."""
    harmony = _harmony()
    make = harmony.Message.from_role_and_content
    if message.role == "tool":
        author = harmony.Author.new(harmony.Role.TOOL, answers)
        made = harmony.Message.from_author_and_content(author, message.text)
        yield made.with_channel("commentary").with_recipient("assistant")
    elif message.role == "assistant":
        if message.tool_calls and message.text:
            yield make(harmony.Role.ASSISTANT, message.text).with_channel("commentary")
        if message.reasoning and keeps_reasoning:
            yield make(harmony.Role.ASSISTANT, message.reasoning).with_channel("analysis")
        if message.text and not message.tool_calls:
            yield make(harmony.Role.ASSISTANT, message.text).with_channel("final")
    elif message.role == "system":
        yield make(harmony.Role.DEVELOPER, harmony.DeveloperContent.new().with_instructions(message.text))
    else:
        yield make(harmony.Role.USER, message.text)


@cache
def _harmony() -> Any:
    try:
        import openai_harmony
    except ImportError as error:
        raise AgenticError("gpt-oss prompts can only be estimated", f"{pip_install('gpt-oss')} counts them exactly") from error
    return openai_harmony


@cache
def encoding() -> Any:
    """Its vocabulary is part of the package: nothing is fetched. Raises AgenticError without the oss-harmony package."""
    harmony = _harmony()
    return harmony.load_harmony_encoding(harmony.HarmonyEncodingName.HARMONY_GPT_OSS)


def available() -> bool:
    """True if the oss-harmony package is there."""
    try:
        _harmony()
    except AgenticError:
        return False
    return True


def error_class() -> type[Exception]:
    """Returns the class of the error that the package raises for tokens that are no text."""
    found: type[Exception] = _harmony().HarmonyError
    return found


@lru_cache(maxsize=64)
def message_ids(message: Message, answers: str) -> tuple[int, ...]:
    """The tokens of a user's, tool's or later system message; `answers` is the author of a tool's, as `functions.run`."""
    return tuple(token for part in _parts(message, answers, True) for token in encoding().render(part))


def answer_start() -> list[int]:
    """The tokens behind which an answer begins."""
    return list(encoding().encode("<|start|>assistant", allowed_special="all"))


def text_of(tokens: Sequence[int]) -> str:
    """Raises AgenticError without the oss-harmony package."""
    return str(encoding().decode(list(tokens)))
