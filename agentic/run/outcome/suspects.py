"""Where a failed test's mistake may be: in the files that define what the test calls."""

import re
from collections.abc import Mapping

MAX_SUSPECTS = 2
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_DEFINED = re.compile(
    r"^[ \t]*(?:export |public |async |pub )*(?:def|class|function|func|fn)\s+(?:\([^)]*\)\s*)?(\w+)", re.MULTILINE
)


def suspects(told: str, sources: Mapping[str, str]) -> list[str]:
    """The files that define most of what `told` calls; all of them where none stands out."""
    called = set(_CALLED.findall(told))
    hits = {name: len(called & set(_DEFINED.findall(source))) for name, source in sources.items()}
    most = max(hits.values(), default=0)
    found = [name for name, count in hits.items() if count == most]
    return found if most and len(found) <= MAX_SUSPECTS else list(sources)
