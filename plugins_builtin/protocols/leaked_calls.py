"""Tool calls in the text: the server has no parser for the model's format, or the model slipped out of it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentic import Message, ToolCall, ToolSpec
from agentic.lib.patterns import late_pattern
from agentic.lib.wire import leading_object, loads
from plugins_builtin.protocols.names import is_known, named_by, translated

# Each opens a call: the name, where the pattern has it, is group 1; an object follows.
_NAMED = (
    late_pattern(r"\[TOOL_CALLS\]\s*([\w.-]+)\s*(?:\[ARGS\])?\s*(?=\{)"),
    late_pattern(r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?([\w.-]+)\s*(?:<｜tool▁sep｜>)?\s*(?:```json)?\s*(?=\{)"),
    late_pattern(r"<function=([\w.-]+)>\s*(?=\{)"),
    late_pattern(r"(?<![\w.])functions\.([\w.-]+)\(\s*(?=\{)"),
)
_NAMELESS = (
    late_pattern(r"<tool_call>\s*(?=\{)"),
    late_pattern(r"<\|python_tag\|>\s*(?=\{)"),
    late_pattern(r"\[TOOL_CALLS\]\s*\[\s*(?=\{)"),
)
_XML = late_pattern(r"(?:<tool_call>\s*)?<function=([\w.-]+)>(.*?)</function>(?:\s*</tool_call>)?", re.DOTALL)
_PARAMETER = late_pattern(r"<parameter=([\w.-]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_AFTER = late_pattern(r"\s*(?:\)|\]|<\|call\|>|<\|end\|>|</tool_call>|</function>|```|<｜tool▁calls?▁end｜>|\s)*")
_FENCE = late_pattern(r"^\s*```(?:json)?\s*(.*?)\s*```\s*$", re.DOTALL)
_THOUGHT = late_pattern(r"^\s*(?:<think>)?(.*?)</think>\s*", re.DOTALL)
_ARGUMENTS = ("arguments", "parameters", "args", "input")


class LeakedCalls:
    def repair(self, answer: Message, tools: Sequence[ToolSpec]) -> Message:
        answer = _without_thoughts(answer)
        calls, text = list(answer.tool_calls), answer.text
        if not calls and tools:
            calls, text = leaked_calls(answer.text, tools)
            answer = replace(answer, content=text)
        return replace(answer, tool_calls=tuple(translated(call, tools) for call in calls))


def _without_thoughts(answer: Message) -> Message:
    """Thoughts that a server left in the text, as reasoning."""
    if "</think>" not in answer.text or not (match := _THOUGHT.match(answer.text)):
        return answer
    thoughts = [answer.reasoning, match[1].strip()]
    return replace(answer, content=answer.text[match.end() :].strip(), reasoning="\n".join(filter(None, thoughts)))


def leaked_calls(text: str, tools: Sequence[ToolSpec]) -> tuple[list[ToolCall], str]:
    """(the calls, the text without them). Only a known tool's name makes a call; whatever else looks like one is text."""
    calls: list[ToolCall] = []

    def take(name: str, arguments: dict[str, Any]) -> bool:
        if is_known(name, tools):
            calls.append(ToolCall(f"call_leaked_{len(calls)}", name, json.dumps(arguments, ensure_ascii=False)))
            return True
        return False

    whole = _FENCE.match(text)
    if _take_bare(whole[1] if whole else text, take, tools):
        return calls, ""
    text = _XML.sub(lambda match: "" if take(match[1], _parameters(match[2], match[1], tools)) else match[0], text)
    for pattern in (*_NAMED, *_NAMELESS):
        text = _taken(text, pattern, take)
    return calls, text.strip() if calls else text


def _taken(text: str, pattern: "re.Pattern[str]", take: Callable[[str, dict[str, Any]], bool]) -> str:
    position = 0
    while match := pattern.search(text, position):
        position = match.end()
        found = leading_object(text[position:])
        if found is None:
            continue
        value, length = found
        name, arguments = (match[1], value) if pattern.groups else _call_of(value)
        if take(name, arguments):
            end = position + length
            end += len(after[0]) if (after := _AFTER.match(text[end:])) else 0
            text, position = text[: match.start()] + text[end:], match.start()
    return text


def _take_bare(text: str, take: Callable[[str, dict[str, Any]], bool], tools: Sequence[ToolSpec]) -> bool:
    """The whole answer is one call, or a list of calls, as JSON; or arguments that just one tool takes."""
    try:
        found = loads(text)
    except ValueError:
        return False
    each = found if isinstance(found, list) else [found]
    if isinstance(found, dict) and (name := named_by(found, tools)):
        return take(name, found)
    pairs = [_call_of(call) for call in each if isinstance(call, dict)]
    return (
        bool(pairs) and len(pairs) == len(each) and all(take(*pair) for pair in pairs if pair[0]) and any(pair[0] for pair in pairs)
    )


def _call_of(value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(name, arguments) of a call as an object; arguments beside the name count too."""
    value = value["function"] if isinstance(value.get("function"), dict) else value
    name = str(value.get("name") or value.get("tool") or "")
    arguments = next((value[key] for key in _ARGUMENTS if key in value), None)
    if isinstance(arguments, str):
        found = leading_object(arguments)
        arguments = found[0] if found else {}
    if arguments is None:
        arguments = {key: each for key, each in value.items() if key not in ("name", "tool", "type", "id")}
    return name, arguments if isinstance(arguments, dict) else {}


def _parameters(body: str, name: str, tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """XML parameters; those that the tool does not declare as text are read as JSON where they are."""
    properties: Mapping[str, Any] = next((tool.parameters.get("properties", {}) for tool in tools if tool.name == name), {})
    return {key: _typed(value, properties.get(key, {}).get("type", "string")) for key, value in _PARAMETER.findall(body)}


def _typed(text: str, kind: str) -> Any:
    if kind == "string":
        return text
    try:
        return loads(text)
    except ValueError:
        return text
