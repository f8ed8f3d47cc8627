"""A summary of the turns left out, made without asking a model: calls and how they ended, words on both sides."""

import re
from collections.abc import Callable, Iterator, Sequence

from agentic import Message, ToolNote
from agentic.lib.patterns import late_pattern

_OPEN, _CLOSE = "<context>\nEarlier turns were left out here. Completed steps:\n", "\n</context>"
_SAID = late_pattern(r"- (you|the user) said: ")
MAX_WORDS = 140


def phrase(note: ToolNote) -> str:
    """A call and how it ended, in one phrase."""
    if note.exit_code is not None:
        return f"{note.did}: exit code {note.exit_code}"
    return f"{note.did}: failed" if note.failed else note.did


def with_summary(head: Sequence[Message], dropped: Sequence[Message], room: int, count: Callable[[Message], int]) -> list[Message]:
    """The head with the dropped steps at the end of its last message: the newest ones, if not all fit into `room`
    tokens, words before calls."""
    *before, task = head
    bare, lines = _steps_in(task.text)
    lines = list(dict.fromkeys(reversed([*lines, *_steps(dropped)])))
    room -= count(Message("user", _OPEN + _CLOSE))
    said = _newest([line for line in lines if _SAID.match(line)], room // 2, count)  # decisions are worth more than steps
    done = _newest([line for line in lines if not _SAID.match(line)], room - _size(said, count), count)
    kept = [line for line in reversed(lines) if line in said or line in done]
    return [*before, task.with_text(f"{bare}\n\n{_OPEN}{chr(10).join(kept)}{_CLOSE}")]


def _newest(lines: Sequence[str], room: int, count: Callable[[Message], int]) -> list[str]:
    """Returns the first of `lines`, as many as fit in `room`, but at least one."""
    kept: list[str] = []
    for line in lines:
        room -= _size([line], count)
        if room < 0 and kept:
            break
        kept.append(line)
    return kept


def _size(lines: Sequence[str], count: Callable[[Message], int]) -> int:
    return sum(count(Message("user", line)) for line in lines)


def _steps_in(content: str) -> tuple[str, list[str]]:
    """(the content without its summary, the steps that the summary lists)."""
    bare, found, rest = content.partition(f"\n\n{_OPEN}")
    lines, _, after = rest.partition(_CLOSE)
    return (bare + after, lines.splitlines()) if found else (content, [])


def _steps(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        if message.notes:
            yield from (f"- {_short(phrase(note))}" for note in message.notes)
        elif message.role == "user":
            yield f"- the user said: {_short(message.text)}"
        elif message.role == "assistant" and (words := _prose(message.text)):
            yield f"- you said: {_short(words)}"


def _prose(text: str) -> str:
    """A text without code blocks; nothing for a JSON action."""
    text = re.sub(r"^([ \t]*)(`{3,}|~{3,}).*?(^\1\2|\Z)", "", text, flags=re.DOTALL | re.MULTILINE)
    return "" if text.lstrip().startswith("{") else text.strip()


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_WORDS else f"{flat[:MAX_WORDS]}…"
