"""Attempts that a session keeps, so that any of them can be taken afterwards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from agentic import ConfigError, Workspace
from agentic.lib.contents import Contents, content_of, contents_of
from agentic.lib.record import record
from agentic.sessions import Session
from plugins_builtin.attempts.contender import Contender

KIND = "attempts"
NONE, LEAD = 0, 1  # the numbers of no attempt, and of the agent's own work
MAX_NAMED = 8


@record(frozen=True, slots=True)
class KeptAttempts:
    """The attempts at a task: what each left in the files that it changed, and their permission bits.

    `before` is what was in all of these files. It `waits` while the first one's work is not in the folder because others go on.
    """

    taken: int
    before: Contents
    files: Mapping[int, Contents]
    modes: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    waits: bool = False

    def left_by(self, number: int) -> Contents:
        """Returns the contents of all those files once this one is taken."""
        return {**self.before, **self.files.get(number, {})}


def keep(session: Session, contenders: Sequence[Contender], space: Workspace) -> KeptAttempts:
    """Keeps them; `space` is the folder as they began with it. None of them is taken yet."""
    files = {each.number: each.best.files for each in contenders if each.states}
    before = {path: content_of(space, path) for contents in files.values() for path in contents}
    modes = {each.number: _modes(each.attempt.agent.workspace, each.best.files) for each in contenders if each.states}
    kept = KeptAttempts(NONE, before, files, modes)
    write(session, kept)
    return kept


def _modes(space: Workspace, paths: Iterable[str]) -> dict[str, int]:
    found = {path: space.mode(path) for path in paths}
    return {path: mode for path, mode in found.items() if mode is not None}


def keep_lead(session: Session, space: Workspace, files: Contents, before: Contents) -> None:
    """Keeps what the agent did before others begin from where it did."""
    write(session, KeptAttempts(NONE, before, {LEAD: files}, {LEAD: _modes(space, files)}, waits=True))


def left_by_lead(session: Session, space: Workspace) -> tuple[Contents, list[str]]:
    """(the agent's work before attempts that a kill cut off, the files of it that somebody has changed since)"""
    if (found := session.last(KIND)) is None or not found.data.get("waits"):
        return {}, []
    kept = last_kept(session)
    now, files = contents_of(space, kept.before), kept.files[LEAD]
    changed = [path for path in files if now[path] not in (kept.before[path], files[path])]
    return {path: data for path, data in files.items() if path not in changed and now[path] != data}, changed


def put_down(session: Session) -> None:
    """The agent's own work is in the folder again."""
    if (found := session.last(KIND)) is not None and found.data.get("waits"):
        write(session, replace(last_kept(session), taken=LEAD, waits=False))


def write(session: Session, kept: KeptAttempts) -> None:
    def names(contents: Contents) -> dict[str, str | None]:
        return {path: None if data is None else session.keep(data) for path, data in contents.items()}

    files = {str(number): names(contents) for number, contents in kept.files.items()}
    modes = {str(number): dict(each) for number, each in kept.modes.items()}
    record = {"taken": kept.taken, "before": names(kept.before), "files": files, "modes": modes, "waits": kept.waits}
    session.append(KIND, record)


def last_kept(session: Session) -> KeptAttempts:
    """Raises ConfigError where there are none."""
    found = session.last(KIND)
    if found is None:
        raise ConfigError("this session has no attempts", "/attempts 4 TASK makes some")

    def contents(names: Mapping[str, str | None]) -> Contents:
        return {path: None if name is None else session.content(name) for path, name in names.items()}

    data = found.data
    files = {int(number): contents(names) for number, names in data["files"].items()}
    modes = {int(number): each for number, each in data.get("modes", {}).items()}
    return KeptAttempts(int(data["taken"]), contents(data["before"]), files, modes, bool(data.get("waits")))
