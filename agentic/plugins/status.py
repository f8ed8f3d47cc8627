"""The status of each plugin."""

from dataclasses import field
from typing import Literal

from agentic.lib.record import record

State = Literal["loaded", "disabled", "broken", "unsupported", "duplicate"]


@record(slots=True)
class PluginStatus:
    """A plugin as `agentic plugins` shows it; `load_ms` is the time its import took."""

    name: str
    distribution: str
    version: str
    state: State = "loaded"
    hooks: list[str] = field(default_factory=list)
    error: str = ""
    load_ms: float = 0.0
    note: str = ""
    section: str = ""
