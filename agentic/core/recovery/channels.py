"""gpt-oss's channels and other models' thoughts, where the server left them in the text."""

import re
from dataclasses import replace

from agentic.types import Message

_MARKED = re.compile(
    r"(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*(analysis|commentary|final)\s*<\|message\|>(.*?)"
    r"(?=<\|end\|>|<\|return\|>|<\|start\|>|<\|channel\|>|$)(?:<\|end\|>|<\|return\|>)?",
    re.DOTALL,
)
_BARE = re.compile(r"^\s*analysis(?=\S)(.*?)assistant(?:<\|channel\|>)?final(.*)$", re.DOTALL)  # the marks lost, the words left
_THOUGHT = re.compile(r"^\s*(?:<think>)?(.*?)</think>\s*", re.DOTALL)
_LOOSE = re.compile(r"<\|(?:start|end|return|message|channel|constrain)\|>(?:assistant|final|analysis|commentary)?")


def without_channels(message: Message) -> Message:
    """The thoughts as reasoning, the rest as the answer. A text that only speaks of such marks stays as it is."""
    text, thoughts = message.text, [message.reasoning] if message.reasoning else []
    if (match := _BARE.match(text)) or ("</think>" in text and (match := _THOUGHT.match(text))):
        thoughts.append(match[1])
        text = match[2] if match.re is _BARE else text[match.end() :]
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
