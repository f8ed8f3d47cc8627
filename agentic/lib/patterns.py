"""Regular expressions that are compiled when they are used: at import they are a tenth of a start, and few of them are met in it.

_CALL = late_pattern(r"call (\\w+)")
_CALL.search(text)
"""

import re
from typing import Any, cast


def late_pattern(text: str, flags: int = 0) -> "re.Pattern[str]":
    """Returns what behaves as `re.compile(text, flags)` does, for its methods and attributes."""
    return cast("re.Pattern[str]", _Pattern(text, flags))


class _Pattern:
    def __init__(self, text: str, flags: int) -> None:
        self._given = text, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)
        return found
