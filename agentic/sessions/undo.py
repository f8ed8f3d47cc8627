"""Taking back what a session's tools and commands did to the files, from the pre-images that it keeps; and doing it again."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from agentic.errors import AgenticError
from agentic.lib.contents import current_of
from agentic.lib.record import record
from agentic.lib.workspace import Grants, Workspace, fingerprint
from agentic.sessions.session import Session


@record(frozen=True, slots=True)
class CommandChange:
    """The change of a file: its content before and the fingerprint of its content after; None is no file.

    `known`: what it was before is known, so it can be brought back. `mode` are its permission bits before, `inode` was its own.
    """

    path: str
    before: bytes | None
    after: str | None
    ignored: bool
    known: bool = True
    mode: int | None = None
    inode: int = 0


_ROOTS = "roots"  # of a session's metadata: the further folders that it worked in


class ChangedSince(AgenticError):
    """Files that are not as the session left them: somebody's later work would be lost."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(f"nothing was done: {', '.join(paths)} changed since the session wrote it")
        self.paths = paths


class Journal:
    """Keeps a file's bytes before a tool replaces or removes them: a `Workspace.journal`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.session_id = session.id
        self.last: dict[str, str | None] = {}  # what the tools wrote last, by its fingerprint

    def __call__(self, path: str, before: bytes | None, after: bytes | None, mode: int | None = None) -> None:
        self.last[path] = None if after is None else fingerprint(after)
        self._keep(path, before, self.last[path], mode)

    def removes(self, paths: Iterable[str]) -> None:
        """Notes that these files, which nobody undoes, are about to be gone without a command's doing."""
        self.last |= dict.fromkeys(paths)

    def command(self, change: CommandChange) -> None:
        """Records a command's change to a file, if it is known."""
        if change.known:
            self._keep(change.path, change.before, change.after, change.mode)

    def _keep(self, path: str, before: bytes | None, after: str | None, mode: int | None) -> None:
        kept = None if before is None else self._session.keep(before)
        self._session.append("file", {"path": path, "before": kept, "after": after, "mode": mode})


class JournalOfRoot:
    """A session's journal for a further root: its files are named there by their full paths."""

    def __init__(self, journal: Journal, root: Path) -> None:
        self._journal = journal
        self._root = root
        self.session_id = journal.session_id

    @property
    def last(self) -> dict[str, str | None]:
        """The files that the tools wrote last there, by fingerprints."""
        below = f"{self._root}{os.sep}"
        return {path.removeprefix(below): mark for path, mark in self._journal.last.items() if path.startswith(below)}

    def command(self, change: CommandChange) -> None:
        """Records a command's change to a file, if it is known."""
        self._journal.command(replace(change, path=str(self._root / change.path)))


@record(slots=True)
class _Change:
    before: str | None
    after: str | None
    mode: int | None = None  # of the file before


def undo(session: Session, workspace: Workspace, since: int = 0, force: bool = False) -> list[str]:
    """The files that were taken back to what they were before entry `since`; what they are now is kept for `redo`.

    Raises ChangedSince, and touches nothing, when one of them changed since the session wrote it, unless `force` is given.
    """
    changes, seen = _changes(session, since)
    if not seen:
        return []
    back = _restore(session, workspace, changes, force)
    files = {path: [kept, changes[path].before, mode] for path, (kept, mode) in back.items()}
    session.append("undone", {"seqs": seen, "files": files})
    return list(back)


def redo(session: Session, workspace: Workspace, force: bool = False) -> list[str]:
    """Does the newest undo over, as long as nothing was written since. Raises ChangedSince as `undo` does."""
    undone = next(reversed([*session.records("undone", "redone", "file")]), None)
    if undone is None or undone.kind != "undone":
        return []
    files = undone.data.get("files")
    changes = {str(path): _Change(*kept) for path, kept in files.items()} if isinstance(files, dict) else {}
    back = _restore(session, workspace, changes, force)
    session.append("redone", {"undone": undone.seq})
    return list(back)


def _restore(
    session: Session, workspace: Workspace, changes: Mapping[str, _Change], force: bool
) -> dict[str, tuple[str | None, int | None]]:
    """Each changed file with the name of what it held, and its mode. Raises ChangedSince."""
    space = workspace.view()  # without a journal: what is taken back is no change to take back
    space.grants = _as_then(session, workspace)
    todo: dict[str, bytes | None] = {}
    now: dict[str, bytes | None] = {}
    changed: list[str] = []
    for path, change in changes.items():
        now[path] = current_of(space, path)
        name = _name(now[path])
        if name == change.before:
            continue
        before = session.content(change.before) if change.before else None
        if (name != change.after and not force) or (change.before and before is None):
            changed.append(path)
        todo[path] = before
    if changed:
        raise ChangedSince(changed)
    modes = {path: space.mode(path) for path in todo}
    for path, before in todo.items():
        space.remove(path) if before is None else space.write(path, before, changes[path].mode)
    return {path: (session.keep(data) if (data := now[path]) is not None else None, modes[path]) for path in todo}


def _as_then(session: Session, workspace: Workspace) -> Grants:
    """Whatever was changed was asked for then; the session knows its further roots."""
    return Grants(workspace.grants.given, roots=[*workspace.grants.roots, *further_roots(session)])


def further_roots(session: Session) -> list[Path]:
    """Returns the further folders that a session worked in."""
    kept = session.metadata(_ROOTS)
    return [Path(each) for each in json.loads(kept)] if kept else []


def keep_further_roots(session: Session, roots: Sequence[Path]) -> None:
    """Keeps them with the session, for undoing and for going on with it."""
    session.set_metadata(_ROOTS, json.dumps(list(map(str, roots))))


def changed_files(session: Session, workspace: Workspace, since: int = 0) -> dict[str, tuple[bytes | None, bytes | None]]:
    """Each file that tools and commands changed after entry `since`: as it was before and as it is now, None being no file."""
    space = workspace.view()
    space.grants = _as_then(session, workspace)
    changes, _ = _changes(session, since)
    found = {
        path: (session.content(change.before) if change.before else None, current_of(space, path))
        for path, change in changes.items()
    }
    return {path: (before, now) for path, (before, now) in found.items() if before != now}


def last_turn(session: Session, count: int = 1) -> int:
    """The entry number of the newest turn but `count` - 1 that wrote anything which is still there; 0 where none did."""
    undone = _undone(session)
    writes = [entry.seq for entry in session.records("file") if entry.seq not in undone]
    turns = [turn.seq for turn in session.turns()]
    ends = [*turns[1:], float("inf")]
    writing = [turn for turn, end in zip(turns, ends, strict=False) if any(turn < write < end for write in writes)]
    return writing[-count] if len(writing) >= count else (writing[0] if writing else 0)


def turn_before(session: Session, count: int) -> int:
    """The entry number at which the last `count` turns began; 0 where there were not so many."""
    turns = session.turns()
    return turns[-count].seq if 0 < count <= len(turns) else 0


def _changes(session: Session, since: int) -> tuple[dict[str, _Change], list[int]]:
    undone = _undone(session)
    changes: dict[str, _Change] = {}
    seen = []
    for entry in session.records("file", after=since):
        path, before, after, mode = (entry.data.get(name) for name in ("path", "before", "after", "mode"))
        if entry.seq in undone or not isinstance(path, str) or not isinstance(after, str | None):
            continue
        seen.append(entry.seq)
        first = _Change(before if isinstance(before, str) else None, after, mode if isinstance(mode, int) else None)
        changes.setdefault(path, first).after = after
    return changes, seen


def _undone(session: Session) -> set[int]:
    taken: dict[int, set[int]] = {}
    for entry in session.records("undone", "redone"):
        if entry.kind == "undone":
            taken[entry.seq] = {seq for seq in entry.data.get("seqs", ()) if isinstance(seq, int)}
        else:
            taken.pop(entry.data.get("undone", 0), None)
    return set().union(*taken.values())


def _name(content: bytes | None) -> str | None:
    return None if content is None else fingerprint(content)
