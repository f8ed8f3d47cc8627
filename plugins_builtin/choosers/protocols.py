"""Chooses a tool protocol that a model can be trusted with: by probing it once, then by how its answers went."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentic import Answer, ChatRequest, EndpointInfo, ToolProtocol
from agentic.events import WorkflowEvent
from agentic.folders import state_folder
from agentic.hooks.protocol import ProtocolChoice
from agentic.lib.files import replace_file

MIN_TURNS = 6  # before how it went counts
MIN_READABLE = 0.5


class ModelRecord:
    """The record, on this machine, of what is known of each model.

    `{"URL model": {"fits": {protocol: bool}, "turns": {protocol: [readable, unreadable]}}}`
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or state_folder() / "protocols.json"
        try:
            data = json.loads(self._path.read_text())
        except (OSError, ValueError):
            data = {}
        self._data: dict[str, Any] = data if isinstance(data, dict) else {}

    def of(self, info: EndpointInfo) -> dict[str, Any]:
        entry = self._data.setdefault(f"{info.url} {info.model}", {})
        for name in ("fits", "turns"):
            if not isinstance(entry.get(name), dict):
                entry[name] = {}
        return entry  # type: ignore[no-any-return]

    def add(self, info: EndpointInfo, protocol: str, counts: Mapping[str, int]) -> None:
        """Adds how a run's answers went, and keeps it."""
        tally = self.of(info)["turns"].setdefault(protocol, [0, 0])
        tally[0] += counts.get("readable", 0)
        tally[1] += counts.get("unreadable", 0)
        self.save()

    def save(self) -> None:
        try:
            replace_file(self._path, json.dumps(self._data, indent=1).encode())
        except OSError:
            return  # a read-only home costs a probe a run, nothing else


class _Announced:
    """Asks a model what it can, and tells the user first: with a model that is just loaded it takes its time."""

    def __init__(self, setup: ProtocolChoice) -> None:
        self._setup = setup
        self._is_told = False

    async def ask(self, request: ChatRequest) -> Answer | None:
        if not self._is_told:
            self._is_told = True
            message = f"trying how {self._setup.info.model} calls tools (once)…"
            await self._setup.emit(WorkflowEvent(node="probe", message=message))
        return await self._setup.model.ask(request)


async def choose(setup: ProtocolChoice) -> tuple[str, str]:
    """The first that fits and went well; the last one where none does."""
    record, model, chosen = ModelRecord(), _Announced(setup), ""
    entry = record.of(setup.info)
    for chosen in setup.automatic:
        if chosen not in entry["fits"]:
            protocol: ToolProtocol = setup.provider(chosen)
            entry["fits"][chosen] = await protocol.fits(model, setup.info)
            record.save()
        if entry["fits"][chosen] and _went_well(entry["turns"].get(chosen)):
            break
    return chosen, ""


def _went_well(tally: object) -> bool:
    if not isinstance(tally, list) or len(tally) != 2:
        return True
    readable, unreadable = tally
    return bool(readable + unreadable < MIN_TURNS or readable >= MIN_READABLE * (readable + unreadable))
