"""Which tool protocol a model can be trusted with: found out once, then by how its answers went."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentic.core.runtime import Runtime
from agentic.events import WorkflowEvent
from agentic.folders import state_folder
from agentic.hooks.protocol import ToolProtocol
from agentic.lib.files import replace_file
from agentic.sessions import Session
from agentic.types import Answer, ChatRequest, EndpointInfo

MIN_TURNS = 6  # before how it went counts
MIN_READABLE = 0.5
HOOK = "agentic_tool_protocols"


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


async def protocol_of(runtime: Runtime, session: Session) -> str:
    """Returns the protocol the user set; else the session's first on this model; else the first that fits and went well."""
    name = runtime.settings.tools.protocol
    if name != "auto":
        runtime.host.offer(HOOK, name)
        return name
    known = session.metadata("protocol")
    if known in runtime.host.offers(HOOK) and session.metadata("model") == runtime.info.model:
        return known
    return await _choose(runtime, ModelRecord())


class _Announced:
    """Asks a model what it can, and tells the user first: with a model that is just loaded it takes its time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._is_told = False

    async def ask(self, request: ChatRequest) -> Answer | None:
        if not self._is_told:
            self._is_told = True
            message = f"trying how {self._runtime.info.model} calls tools (once)…"
            await self._runtime.events.emit(WorkflowEvent(node="probe", message=message))
        return await self._runtime.llm.ask(request)


async def _choose(runtime: Runtime, record: ModelRecord) -> str:
    offers = {name: offer.record.automatic for name, offer in runtime.host.offers(HOOK).items() if offer.record.automatic}
    entry, name, asks = record.of(runtime.info), "", _Announced(runtime)
    for name in sorted(offers, key=lambda each: offers[each]):
        if name not in entry["fits"]:
            protocol: ToolProtocol = runtime.build(HOOK, name)
            entry["fits"][name] = await protocol.fits(asks, runtime.info)
            record.save()
        if entry["fits"][name] and _went_well(entry["turns"].get(name)):
            return name
    return name


def _went_well(tally: object) -> bool:
    if not isinstance(tally, list) or len(tally) != 2:
        return True
    readable, unreadable = tally
    return bool(readable + unreadable < MIN_TURNS or readable >= MIN_READABLE * (readable + unreadable))
