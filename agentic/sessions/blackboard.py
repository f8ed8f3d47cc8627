"""Values that a session's agents share."""

import time

from agentic.errors import ToolError
from agentic.lib.record import record
from agentic.sessions.session import Session

MAX_KEY, MAX_VALUE, MAX_ENTRIES = 60, 1_000, 32


@record(frozen=True, slots=True)
class Entry:
    key: str
    value: str
    by: str
    time: float
    number: int


class Blackboard:
    """Kept with the session. Written by `share`, read by every agent in its newest message."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries: dict[str, Entry] = {}
        for each in session.records("shared"):
            self._set(str(each.data.get("key")), str(each.data.get("value")), each.agent, each.time)

    def share(self, key: str, value: str, by: str = "main") -> None:
        """Raises ToolError for what is too large. An empty value takes the key away."""
        key, value = key.strip(), value.strip()
        if not key or len(key) > MAX_KEY:
            raise ToolError(f"a key has 1 to {MAX_KEY} characters")
        if len(value) > MAX_VALUE:
            raise ToolError(
                f"a shared value has at most {MAX_VALUE} characters, this has {len(value)}: write it to a file, share its path"
            )
        if value and key not in self._entries and len(self._entries) >= MAX_ENTRIES:
            raise ToolError(f"{MAX_ENTRIES} values are shared already: overwrite or empty one of {', '.join(self._entries)}")
        self._session.append("shared", {"key": key, "value": value}, by)
        self._set(key, value, by, time.time())

    def get(self, key: str) -> str | None:
        entry = self._entries.get(key)
        return entry.value if entry else None

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries.values())

    def section(self, after: int = 0, but_by: str = "") -> str:
        """Returns the prompt's text of what was shared after entry `after` by anybody but `but_by`; "" for nothing."""
        news = [entry for entry in self._entries.values() if entry.number > after and entry.by != but_by]
        return "\n".join(["Shared context:", *(f"- {entry.key} (by {entry.by}): {entry.value}" for entry in news)]) if news else ""

    @property
    def newest(self) -> int:
        return max((entry.number for entry in self._entries.values()), default=0)

    def _set(self, key: str, value: str, by: str, when: float) -> None:
        number = self.newest + 1
        self._entries.pop(key, None)
        if value:
            self._entries[key] = Entry(key, value, by, when, number)
