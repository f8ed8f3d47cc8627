"""The runnables that a folder brings, and which of them the user trusts: each bound to what it does, not to where it lies."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentic.errors import ConfigError
from agentic.folders import state_folder
from agentic.lib.binding import MAX_BYTES, PROJECT_VARIABLES as PROJECT_VARIABLES, digest_of as digest_of
from agentic.lib.files import project_top, read_regular, replace_file
from agentic.lib.record import record


@record(frozen=True, slots=True)
class Runnable:
    """Something of a project's that would run: its `kind` ("MCP server") and `name`, the file that it stands in, and for people
    what `runs`. `digest` is of all that decides what it does (`digest_of`): what is changed is not trusted any more."""

    kind: str
    name: str
    file: str
    runs: str
    digest: str


_lent: dict[str, frozenset[str]] = {}


class Trust:
    """The user's decisions for one project, kept in the user's own folder. Anything unknown is not trusted."""

    def __init__(self, root: Path) -> None:
        self._project = str(project_top(root.resolve()))
        self._store = state_folder() / "trust.json"

    def has(self, runnable: Runnable) -> bool:
        """True if the user said yes to exactly this."""
        return runnable.digest in _lent.get(self._project, ()) or self._decided().get(runnable.digest, {}).get("trusted") is True

    @property
    def digests(self) -> list[str]:
        """The digests of all that is trusted."""
        return [digest for digest, entry in self._decided().items() if entry.get("trusted") is True]

    def lend(self, digests: Iterable[str]) -> None:
        """These are trusted as long as this process runs: what the user said of the folder that this one is a copy of."""
        _lent[self._project] = frozenset(digests)

    def undecided(self, runnables: Iterable[Runnable]) -> list[Runnable]:
        """Returns the runnables to which the user said neither yes nor no; none in a copy."""
        if self._project in _lent:
            return []
        decided = self._decided()
        return [each for each in runnables if each.digest not in decided]

    def decide(self, runnables: Sequence[Runnable], trusted: bool) -> None:
        """Keeps the user's word. Raises ConfigError."""
        every = self._every()
        mine = every.setdefault(self._project, {})
        for each in runnables:
            mine[each.digest] = {"trusted": trusted, "kind": each.kind, "name": each.name, "time": int(time.time())}
        self._keep(every)

    def forget(self, runnables: Sequence[Runnable] | None = None) -> int:
        """Takes the user's word back, for all of the project where none are given; how many there were. Raises ConfigError."""
        every = self._every()
        mine = every.get(self._project, {})
        gone = list(mine) if runnables is None else [each.digest for each in runnables if each.digest in mine]
        every[self._project] = {digest: entry for digest, entry in mine.items() if digest not in gone}
        self._keep({project: decided for project, decided in every.items() if decided})
        return len(gone)

    def _keep(self, every: Mapping[str, Any]) -> None:
        try:
            replace_file(self._store, json.dumps(every, indent=1).encode())
        except OSError as error:
            raise ConfigError(f"it cannot be kept: {error}") from error

    def _decided(self) -> dict[str, dict[str, Any]]:
        return self._every().get(self._project, {})

    def _every(self) -> dict[str, dict[str, dict[str, Any]]]:
        try:
            kept = json.loads(read_regular(self._store, MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        shaped = isinstance(kept, dict) and all(
            isinstance(decided, dict) and all(isinstance(entry, dict) for entry in decided.values()) for decided in kept.values()
        )
        return kept if shaped else {}
