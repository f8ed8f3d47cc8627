"""Where a failed test's mistake may be: in the file that defines what its assertion calls."""

import re
from collections.abc import Mapping
from pathlib import PurePath

MAX_SUSPECTS = 2
_ASSERTED = re.compile(r"assert.*?(?=\n {4}→|\Z)", re.DOTALL)
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_DEFINED = re.compile(
    r"^[ \t]*(?:export |public |async |pub )*(?:def|class|function|func|fn)\s+(?:\([^)]*\)\s*)?(\w+)", re.MULTILINE
)
_IMPORTS = re.compile(r"^\s*(?:from|import)\s.*$", re.MULTILINE)


def suspects(told: str, sources: Mapping[str, str]) -> list[str]:
    """The files that define what the failed assertions in `told` call; all of `sources` where none stands out.

    Of two that are suspected the one that the other imports is it: a mistake is seen in all that stands above it.
    """
    called = {name for part in _ASSERTED.findall(told) for name in _CALLED.findall(part)}
    found = [name for name, source in sources.items() if called & set(_DEFINED.findall(source))]
    lowest = [name for name in found if not any(_imports(sources[name], other) for other in found if other != name)]
    return lowest if 0 < len(lowest) <= MAX_SUSPECTS else list(sources)


def _imports(source: str, other: str) -> bool:
    return any(re.search(rf"\b{re.escape(PurePath(other).stem)}\b", line) for line in _IMPORTS.findall(source))
