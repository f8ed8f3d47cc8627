"""The capabilities found at an endpoint, kept per version of the server: `agentic doctor` finds them, the transport uses them."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from agentic.folders import state_folder
from agentic.lib.files import replace_file
from agentic.lib.record import record


@record(frozen=True, slots=True)
class Capabilities:
    """`version` is the server's when this was found out, "" where nothing is known."""

    version: str = ""
    tools: bool = False
    strict: bool = False
    schema: bool = False
    batch: bool = True
    priority: bool = False


def known_capabilities(endpoint: str) -> Capabilities:
    """Returns the capabilities found at this endpoint, or the defaults where those cannot be read."""
    try:
        found = _read()[endpoint]
        return Capabilities(str(found["version"]), **{name: bool(found[name]) for name in _flags() if name in found})
    except (KeyError, TypeError, AttributeError):
        return Capabilities()


def keep_capabilities(endpoint: str, found: Capabilities) -> None:
    """Raises OSError."""
    replace_file(_path(), json.dumps(_read() | {endpoint: asdict(found)}, indent=1).encode())


def _flags() -> list[str]:
    return [each.name for each in fields(Capabilities) if each.name != "version"]


def _path() -> Path:
    return state_folder() / "endpoints.json"


def _read() -> dict[str, Any]:
    try:
        found = json.loads(_path().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
