"""Attempts that a session keeps, so that any of them can be taken afterwards."""

from collections.abc import Mapping, Sequence

from agentic import ConfigError, Workspace
from agentic.lib.contents import Contents, content_of
from agentic.lib.record import record
from agentic.sessions import Session
from plugins_builtin.attempts.contender import Contender

KIND = "attempts"
NONE = 0  # the number of no attempt


@record(frozen=True, slots=True)
class KeptAttempts:
    """The attempts at a task: what each left in the files that it changed; `before` is what was in all of them."""

    taken: int
    before: Contents
    files: Mapping[int, Contents]

    def left_by(self, number: int) -> Contents:
        """Returns the contents of all those files once this one is taken."""
        return {**self.before, **self.files.get(number, {})}


def keep(session: Session, contenders: Sequence[Contender], space: Workspace) -> KeptAttempts:
    """Keeps them; `space` is the folder as they began with it. None of them is taken yet."""
    files = {each.number: each.best.files for each in contenders if each.states}
    before = {path: content_of(space, path) for contents in files.values() for path in contents}
    kept = KeptAttempts(NONE, before, files)
    write(session, kept)
    return kept


def write(session: Session, kept: KeptAttempts) -> None:
    def names(contents: Contents) -> dict[str, str | None]:
        return {path: None if data is None else session.keep(data) for path, data in contents.items()}

    files = {str(number): names(contents) for number, contents in kept.files.items()}
    session.append(KIND, {"taken": kept.taken, "before": names(kept.before), "files": files})


def last_kept(session: Session) -> KeptAttempts:
    """Raises ConfigError where there are none."""
    found = session.last(KIND)
    if found is None:
        raise ConfigError("this session has no attempts", "/attempts 4 TASK makes some")

    def contents(names: Mapping[str, str | None]) -> Contents:
        return {path: None if name is None else session.content(name) for path, name in names.items()}

    data = found.data
    files = {int(number): contents(names) for number, names in data["files"].items()}
    return KeptAttempts(int(data["taken"]), contents(data["before"]), files)
