"""Taking back what a session's tools wrote, from the pre-images that it keeps."""

import hashlib
from dataclasses import dataclass

from agentic.errors import ToolError
from agentic.sessions.session import Session
from agentic.workspace import FileNotFoundToolError, Workspace


class Journal:
    """Keeps a file's bytes before a tool replaces or removes them: a `Workspace.journal`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, path: str, before: bytes | None, after: bytes | None) -> None:
        kept = None if before is None else self._session.keep(before)
        self._session.append("file", {"path": path, "before": kept, "after": _name(after)})


@dataclass(slots=True)
class _Change:
    before: str | None
    after: str | None


def undo(session: Session, workspace: Workspace, since: int = 0) -> list[str]:
    """The files that were taken back to what they were before record `since`.

    Raises ToolError, and touches nothing, when one of them changed since the session wrote it.
    """
    changes, seen = _changes(session, since)
    todo: dict[str, bytes | None] = {}
    changed: list[str] = []
    for path, change in changes.items():
        now = _name(_current(workspace, path))
        if now == change.before:
            continue
        before = session.content(change.before) if change.before else None
        if now != change.after or (change.before and before is None):
            changed.append(path)
        todo[path] = before
    if changed:
        raise ToolError(f"nothing was undone: {', '.join(changed)} changed since the session wrote it")
    space = workspace.view()  # without a journal: what is taken back is no change to take back
    for path, before in todo.items():
        if before is None:
            space.remove(path)
        else:
            space.write(path, before)
    session.append("undone", {"seqs": seen})
    return list(todo)


def last_turn(session: Session) -> int:
    """The record number of the newest turn that wrote anything which is still there; 0 where none did."""
    undone = _undone(session)
    writes = [record.seq for record in session.records("file") if record.seq not in undone]
    turns = [record.seq for record in session.records("turn")]
    return max((turn for turn in turns if writes and turn < writes[-1]), default=0)


def _changes(session: Session, since: int) -> tuple[dict[str, _Change], list[int]]:
    undone = _undone(session)
    changes: dict[str, _Change] = {}
    seen = []
    for record in session.records("file", after=since):
        path, before, after = (record.data.get(name) for name in ("path", "before", "after"))
        if record.seq in undone or not isinstance(path, str) or not isinstance(after, str | None):
            continue
        seen.append(record.seq)
        known = changes.setdefault(path, _Change(before if isinstance(before, str) else None, after))
        known.after = after
    return changes, seen


def _undone(session: Session) -> set[int]:
    return {seq for record in session.records("undone") for seq in record.data.get("seqs", ()) if isinstance(seq, int)}


def _name(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()


def _current(workspace: Workspace, path: str) -> bytes | None:
    try:
        return workspace.current(path).data
    except FileNotFoundToolError:
        return None
