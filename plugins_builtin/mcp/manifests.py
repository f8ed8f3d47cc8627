"""The offers of servers, kept on disk: a server that is not needed is not started."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agentic.folders import cache_folder
from agentic.lib.files import read_regular, replace_file
from agentic.lib.record import record

MAX_BYTES = 20_000_000
FRESH_SECONDS = 24 * 3600.0


@record(frozen=True, slots=True)
class Manifest:
    """`tools` have name, description, parameters and hint; `prompts` name, description and arguments; `resources` uri and name."""

    time: float = 0.0
    tools: Sequence[Mapping[str, Any]] = ()
    prompts: Sequence[Mapping[str, Any]] = ()
    resources: Sequence[Mapping[str, Any]] = ()

    @property
    def is_fresh(self) -> bool:
        return time.time() - self.time < FRESH_SECONDS


def read_manifest(digest: str) -> Manifest | None:
    """That of a server with this definition, None where it was never spoken to."""
    try:
        found = json.loads(read_regular(_path(digest), MAX_BYTES))
        made = Manifest(float(found["time"]), *(list(found[name]) for name in ("tools", "prompts", "resources")))
        return made if all(isinstance(each["name"], str) for each in (*made.tools, *made.prompts)) else None
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None


def keep(digest: str, manifest: Manifest) -> None:
    """A cache that cannot be written costs a start the next time."""
    try:
        replace_file(_path(digest), json.dumps(asdict(manifest)).encode())
    except OSError:
        return


def _path(digest: str) -> Path:
    return cache_folder() / "mcp" / f"{digest[:40]}.json"
