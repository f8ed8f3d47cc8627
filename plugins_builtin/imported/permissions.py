"""The prohibitions in other agents' settings of a project, which are not kept here and are reported where they are missed."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentic.lib.files import project_top, read_regular

FILES = (
    ".claude/settings.json", ".claude/settings.local.json", "opencode.json", "opencode.jsonc", ".opencode/opencode.json",
    ".gemini/settings.json", ".qwen/settings.json", "crush.json", ".crush.json",
)  # fmt: skip
MAX_BYTES = 1_000_000
# (table, or "" for the whole; a field of it that forbids or asks)
_LIMITS = (
    ("permissions", "deny"), ("permissions", "ask"), ("permissions", "defaultMode"), ("", "permission"), ("", "tools"),
    ("", "excludeTools"), ("", "coreTools"), ("tools", "exclude"), ("tools", "core"), ("options", "disabled_tools"),
)  # fmt: skip
_MEANS_YES = ("allow", "default", "")
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.DOTALL)


def unsupported(root: Path) -> Iterator[str]:
    """A line for each file that forbids something."""
    top = project_top(root.resolve())
    for path in (top / name for name in FILES):
        try:
            found = _read(read_regular(path, MAX_BYTES))
        except OSError:
            continue
        except ValueError:
            yield f"{path}: cannot be used: it is no JSON, and may forbid something"
            continue
        if fields := list(_forbidding(found)):
            yield f"{path}: what it says of {', '.join(fields)} cannot be used: write it into [permissions] of agentic.toml"


def _read(data: bytes) -> Any:
    text = data.decode("utf-8-sig")
    return json.loads(_COMMENT.sub(lambda match: match[1] or "", text))


def _forbidding(settings: Any) -> Iterator[str]:
    for table, field in _LIMITS:
        held = settings.get(table) if table and isinstance(settings, Mapping) else settings
        value = held.get(field) if isinstance(held, Mapping) else None
        if _limits(value):
            yield f"{table}.{field}".lstrip(".")


def _limits(value: Any) -> bool:
    """True if it says anything but yes: what is allowed is asked about here, which is no less."""
    if isinstance(value, Mapping):
        return any(_limits(each) for each in value.values() if not isinstance(each, list))
    if isinstance(value, list):
        return bool(value)
    return value is False or (isinstance(value, str) and value not in _MEANS_YES)
