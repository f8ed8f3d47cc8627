"""Token numbers for FakeVLLM: every word that it ever sent is one token, so an answer can be gone on with after any of them."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

FIRST_WORD = 100_000
_TOKENS = re.compile(r"\s*\S+\s*|\s+")
_WORDS: list[str] = []
_NUMBERS: dict[str, int] = {}


def number_of(word: str) -> int:
    if word not in _NUMBERS:
        _NUMBERS[word] = FIRST_WORD + len(_WORDS)
        _WORDS.append(word)
    return _NUMBERS[word]


def split(ids: Sequence[int]) -> tuple[list[int], list[str]]:
    """(the prompt's numbers, the words that follow it)."""
    words = [number for number in ids if number >= FIRST_WORD]
    return list(ids[: len(ids) - len(words)]), [_WORDS[number - FIRST_WORD] for number in words]


def numbered(pieces: Sequence[bytes], prompt: Sequence[int], skip: int = 0, raw: bool = False) -> Sequence[bytes]:
    """The events of a chat stream with their token numbers. The first `skip` words are left out: they were sent before.

    `raw` gives them the shape of `/v1/completions`. They are made as they are sent: a script need not end.
    """
    return _Made(lambda: _numbered(pieces, prompt, skip, raw))


class _Made(Sequence[bytes]):
    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[bytes]:
        return self._make()

    def __len__(self) -> int:
        return sum(1 for _ in self._make())

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]


def _numbered(pieces: Iterable[bytes], prompt: Sequence[int], skip: int, raw: bool) -> Iterator[bytes]:
    is_first = True
    for piece in pieces:
        event = _event(piece)
        if event is None:
            yield piece
            is_first = False
            continue
        if event["choices"]:
            choice = event["choices"][0]
            kind = "reasoning" if choice["delta"].get("reasoning") else "content"
            words = _TOKENS.findall(choice["delta"].get(kind) or "")
            before, skip = skip, max(0, skip - len(words))
            if words and before >= len(words):
                continue
            if words:
                choice["delta"][kind] = "".join(words[before:])
            choice["token_ids"] = [number_of(word) for word in words[before:]]
            if raw:
                choice["text"] = choice.pop("delta").get("content") or ""
        if is_first:
            event["prompt_token_ids"] = list(prompt)
            is_first = False
        yield b"data: " + json.dumps(event).encode() + b"\n\n"


def _event(piece: bytes) -> dict[str, Any] | None:
    """A chunk of a chat stream; None for whatever else a script sends."""
    try:
        event: dict[str, Any] = json.loads(piece.removeprefix(b"data: "))
        return event if all(isinstance(choice["delta"], dict) for choice in event["choices"]) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def resumes_at(body: Mapping[str, Any]) -> list[int]:
    """The numbers that a request gives in place of a prompt, if any."""
    given = body.get("prompt") or (body.get("kv_transfer_params") or {}).get("prompt_token_ids") or []
    return given if isinstance(given, list) else []
