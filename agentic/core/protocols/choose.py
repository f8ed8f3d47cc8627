"""Which tool protocol a model can be trusted with: by probing once, then by how its answers went. Never by a model list."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentic.config.edit import replace_file
from agentic.core.protocols import by_name
from agentic.core.recovery.known_tools import clean_name
from agentic.core.service import LlmService
from agentic.errors import AgenticError, ContextOverflow, ModelOutputError, RequestRejected
from agentic.hooks.batching import Lane
from agentic.types import ChatRequest, EndpointInfo, Message, ToolSpec

MIN_TURNS = 6  # before how it went counts
MIN_READABLE = 0.5
_WORD = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
_REPORT = ToolSpec("report", "Reports a word.", _WORD)
_FILE = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
    "required": ["path", "content"],
}
_WRITE = ToolSpec("write_file", "Creates a file.", _FILE, "write", writes=("path", "content"))


class Record:
    """What is known of each model on this machine: `{"URL model": {"able": [names], "turns": {name: [readable, unreadable]}}}`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            data = json.loads(path.read_text())
        except (OSError, ValueError):
            data = {}
        self._data: dict[str, Any] = data if isinstance(data, dict) else {}

    def of(self, info: EndpointInfo) -> dict[str, Any]:
        entry = self._data.setdefault(f"{info.url} {info.model}", {})
        if not isinstance(entry.get("turns"), dict):
            entry["turns"] = {}
        return entry  # type: ignore[no-any-return]

    def add(self, info: EndpointInfo, protocol: str, turns: Mapping[str, int]) -> None:
        """Adds how a run's answers went, and keeps it."""
        tally = self.of(info)["turns"].setdefault(protocol, [0, 0])
        tally[0] += turns.get("readable", 0)
        tally[1] += turns.get("unreadable", 0)
        self.save()

    def save(self) -> None:
        try:
            replace_file(self._path, json.dumps(self._data, indent=1).encode())
        except OSError:
            return  # a read-only home costs a probe a run, nothing else


async def choose(info: EndpointInfo, llm: LlmService, record: Record) -> str:
    """The first protocol that the model is able to use and that has not failed it since: native, fenced, json."""
    entry = record.of(info)
    if not isinstance(entry.get("able"), list):
        entry["able"] = [name for name, able in (("native", _native_works), ("fenced", _fenced_works)) if await able(llm)]
        record.save()
    names = [name for name in ("native", "fenced") if name in entry["able"] and _went_well(entry["turns"].get(name))]
    return names[0] if names else "json"


def _went_well(tally: object) -> bool:
    if not isinstance(tally, list) or len(tally) != 2:
        return True
    readable, unreadable = tally
    return bool(readable + unreadable < MIN_TURNS or readable >= MIN_READABLE * (readable + unreadable))


async def _native_works(llm: LlmService) -> bool:
    request = ChatRequest(
        (Message("user", "Call the tool report with the word ready."),), (_REPORT,), max_tokens=200, temperature=0.0
    )
    answer = await _ask(llm, request)
    return answer is not None and [clean_name(call.name) for call in answer.tool_calls[:1]] == ["report"]


async def _fenced_works(llm: LlmService) -> bool:
    protocol = by_name("fenced")
    system = Message("system", protocol.instructions([_WRITE]))
    task = Message("user", "Create the file ready.py with one line that prints the word ready.")
    answer = await _ask(llm, ChatRequest((system, task), max_tokens=120, temperature=0.0))
    if answer is None:
        return False
    calls = protocol.read(answer, [_WRITE], cut_off=False).calls
    return any(json.loads(call.arguments).get("path") == "ready.py" for call in calls)


async def _ask(llm: LlmService, request: ChatRequest) -> Message | None:
    """The answer, None where the server or its model cannot do this kind of request."""
    (answer,) = await llm.gather([replace(request, purpose="probe")], Lane.INTERACTIVE)
    if isinstance(answer, RequestRejected | ContextOverflow | ModelOutputError):
        return None
    if isinstance(answer, AgenticError):
        raise answer
    return answer.message
