"""Messages as records, and back into a history that any server accepts."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from agentic.types import Content, ImagePart, Message, TextPart, ToolCall, ToolNote

LOST = "(interrupted: it is not known whether this was done; look before doing it again)"
_ROLES = ("system", "user", "assistant", "tool")


def to_record(message: Message) -> dict[str, Any]:
    """Only the fields that are set; pictures as base64."""
    record = {name: value for name, value in asdict(replace(message, content="")).items() if value}
    content: Any = message.content
    if not isinstance(content, str):
        content = [_part_record(part) for part in content]
    return record | ({"content": content} if content else {})


def _part_record(part: TextPart | ImagePart) -> dict[str, str]:
    if isinstance(part, TextPart):
        return {"text": part.text}
    return {"image": b64encode(part.data).decode(), "media_type": part.media_type}


def _content(value: Any) -> Content:
    if not isinstance(value, list):
        return _clean(value)
    return tuple(part for item in _dicts(value) if (part := _part(item)) is not None)


def _part(item: Mapping[str, Any]) -> TextPart | ImagePart | None:
    if "text" in item:
        return TextPart(_clean(item["text"]))
    try:
        return ImagePart(b64decode(item["image"], validate=True), _clean(item.get("media_type")) or "image/png")
    except (KeyError, TypeError, ValueError):
        return None


def from_record(data: Mapping[str, Any]) -> Message | None:
    """None for what is no message."""
    if data.get("role") not in _ROLES:
        return None
    calls = [call for call in _dicts(data.get("tool_calls")) if call.get("name") and data["role"] == "assistant"]
    notes = _dicts(data.get("notes"))
    return Message(
        data["role"],
        _content(data.get("content")),
        _clean(data.get("reasoning")),
        tuple(
            ToolCall(_clean(c.get("id")), _clean(c.get("name")), _arguments(c.get("arguments")), bool(c.get("recovered")))
            for c in calls
        ),
        _clean(data.get("tool_call_id")),
        tuple(ToolNote(_clean(note.get("did")), bool(note.get("failed")), _int(note.get("exit_code"))) for note in notes),
        _thought_as(data.get("thought_as")),
    )


def _thought_as(value: Any) -> str:
    """A name that servers have for it, "" for any other."""
    return value if value in ("reasoning_content", "reasoning_details", "thinking", "content") else ""


def valid(messages: Iterable[Message], outputs: Mapping[str, str]) -> list[Message]:
    """A history in which every call has one result, in its place, and every result its call.

    `outputs` are results by call id that came but never made it into a message. Invalid arguments would make every later
    request fail (vllm#47761), so they are empty then.
    """
    kept: list[Message] = []
    waiting: dict[str, ToolCall] = {}
    for message in messages:
        if message.role == "tool":
            if waiting.pop(message.tool_call_id, None) is not None:
                kept.append(message)
            continue
        kept += _lost(waiting, outputs)
        seen: set[str] = set()
        calls = [call for call in message.tool_calls if call.id not in seen and not seen.add(call.id)]  # type: ignore[func-returns-value]
        waiting = {call.id: call for call in calls}
        kept.append(replace(message, tool_calls=tuple(calls)) if len(calls) != len(message.tool_calls) else message)
    return kept + _lost(waiting, outputs)


def flattened(history: Sequence[Message]) -> list[Message]:
    """The history as plain text, for a model that takes no tool calls."""
    flat: list[Message] = []
    for message in history:
        if message.role == "assistant" and message.tool_calls:
            said = [message.text, *(f"(calls {call.name} {call.arguments})" for call in message.tool_calls)]
            message = Message("assistant", "\n".join(filter(None, said)))
        elif message.role == "tool":
            message = Message("user", f"Result:\n{message.text}", notes=message.notes)
        if flat and flat[-1].role == message.role == "user":
            message = flat.pop().and_then(message)
        flat.append(message)
    return flat


def _lost(waiting: Mapping[str, ToolCall], outputs: Mapping[str, str]) -> list[Message]:
    return [
        Message("tool", outputs.get(name, LOST), tool_call_id=name, notes=(ToolNote(call.name),)) for name, call in waiting.items()
    ]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _clean(value: Any) -> str:
    """Lone surrogates cannot be sent."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _arguments(value: Any) -> str:
    try:
        return _clean(value) if isinstance(json.loads(value), dict) else "{}"
    except (ValueError, TypeError, RecursionError):
        return "{}"
