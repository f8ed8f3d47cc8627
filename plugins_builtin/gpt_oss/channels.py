"""Harmony's channels and calls, where the server left them in the text."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from agentic import Message, ToolCall, ToolSpec
from agentic.lib.patterns import late_pattern
from agentic.lib.wire import leading_object

_MARKED = late_pattern(
    r"(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*(analysis|commentary|final)\s*<\|message\|>(.*?)"
    r"(?=<\|end\|>|<\|return\|>|<\|start\|>|<\|channel\|>|$)(?:<\|end\|>|<\|return\|>)?",
    re.DOTALL,
)
_BARE = late_pattern(r"^\s*analysis(?=\S)(.*?)assistant(?:<\|channel\|>)?final(.*)$", re.DOTALL)  # the marks lost, the words left
_LOOSE = late_pattern(r"<\|(?:start|end|return|message|channel|constrain)\|>(?:assistant|final|analysis|commentary)?")


_CALL = late_pattern(
    r"(?:<\|start\|>\s{0,4})?(?:assistant\s{0,4})?(?:<\|channel\|>\s{0,4})?(?:(?:commentary|analysis|final)\s{0,4})?"
    r"to=([\w.-]+)\s{0,4}(?:<\|channel\|>\s{0,4}(?:commentary|analysis)\s{0,4})?(?:<\|constrain\|>\s{0,4})?"
    r"(?:(?:json|code)\s{0,4})?(?:<\|message\|>\s{0,4})?(?=\{)"
)
_AFTER = late_pattern(r"\s*(?:<\|call\|>|<\|end\|>|\s)*")
_NAMESPACES = ("functions.", "container.", "repo_browser.")
# What it was trained with (arXiv 2604.00362, table of in-distribution tools), without the namespace.
TRAINED = frozenset(["exec", "apply_patch", "open_file", "print_tree", "list_dir", "search", "grep", "write_file", "find"])


class Channels:
    def repair(self, answer: Message, tools: Sequence[ToolSpec]) -> Message:
        answer = without_channels(answer)
        if not answer.tool_calls and tools:
            names = {tool.name for tool in tools} | TRAINED
            calls, text = _leaked(answer.text, names)
            if calls:
                answer = without_channels(replace(answer, content=text, tool_calls=tuple(calls)))
        return replace(answer, tool_calls=tuple(replace(call, name=_bare(call.name)) for call in answer.tool_calls))


def _leaked(text: str, names: "frozenset[str] | set[str]") -> tuple[list[ToolCall], str]:
    """(the calls that stand in the text, the text without them). Where the marks are lost, only a known name makes a call."""
    calls: list[ToolCall] = []
    position = 0
    while match := _CALL.search(text, position):
        position = match.end()
        found = leading_object(text[position:])
        if found is None or ("<|" not in match[0] and _bare(match[1]) not in names):
            continue
        arguments, length = found
        calls.append(ToolCall(f"call_leaked_{len(calls)}", match[1], json.dumps(arguments, ensure_ascii=False)))
        end = position + length
        end += len(after[0]) if (after := _AFTER.match(text[end:])) else 0
        text, position = text[: match.start()] + text[end:], match.start()
    return calls, text.strip() if calls else text


def _bare(name: str) -> str:
    for namespace in _NAMESPACES:
        name = name.removeprefix(namespace)
    return name


def without_channels(message: Message) -> Message:
    """The thoughts as reasoning, the rest as the answer. A text that only speaks of such marks stays as it is."""
    text, thoughts = message.text, [message.reasoning] if message.reasoning else []
    if match := _BARE.match(text):
        thoughts.append(match[1])
        text = match[2]
    parts = list(_MARKED.finditer(text))
    if parts and "to=" not in text:
        thoughts += [part[2] for part in parts if part[1] == "analysis"]
        said = [part[2] for part in parts if part[1] != "analysis"]
        text = _MARKED.sub("", text) + "".join(said)
        text = _LOOSE.sub("", text)
    elif text.lstrip().startswith("<|") or text.rstrip().endswith("|>"):
        text = _ends_bare(text)
    if text == message.text:
        return message
    return replace(message, content=text.strip(), reasoning="\n".join(thought.strip() for thought in thoughts))


def _ends_bare(text: str) -> str:
    """Without a mark at the start or the end, unless a call begins there."""
    if "to=" in text:
        return text
    start = _LOOSE.match(text.lstrip())
    text = text.lstrip()[start.end() :] if start else text
    return re.sub(r"(?:<\|(?:end|return|call)\|>\s*)+$", "", text)
