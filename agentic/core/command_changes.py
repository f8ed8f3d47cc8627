"""What commands do to the files: remembered before, told and journaled after; protected files are put back."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from agentic.core.safeguards import Safeguards
from agentic.plugins.dispatcher import Dispatcher
from agentic.sessions.snapshots import CommandChange, Snapshots
from agentic.threads import on_daemon_thread
from agentic.types import Change, ChangeKind
from agentic.workspace import Grants, Workspace

MAX_TOLD = 200  # changes of one command that a model's work counts
MAX_HELD = 16 << 20  # bytes of what was changed that are held at once


class CommandChanges:
    """Of one folder. `journal` is told of each change that can be taken back."""

    def __init__(
        self,
        workspace: Workspace,
        cache: Path,
        safeguards: Safeguards,
        journal: Callable[[CommandChange], None],
        events: Dispatcher,
    ) -> None:
        self._safeguards = safeguards
        self._journal = journal
        self._events = events
        self._space = workspace.view()
        self._space.grants = Grants()
        self._snapshots = Snapshots(workspace.root, cache, lambda: safeguards.protected_inside(workspace.root))
        self._turn = asyncio.Lock()
        self._told = ""

    async def before(self) -> None:
        """The folder as it is now can be brought back. What cannot is told, once."""
        async with self._turn:
            try:
                await on_daemon_thread(self._snapshots.take)
            except OSError as error:
                self._tell(f"what commands change cannot be taken back: {error.strerror}")
                return
            if left_out := self._snapshots.left_out():
                self._tell(f"what commands do to these cannot be taken back: {left_out}")

    async def after(self, may_change_protected: bool) -> tuple[list[Change], list[str]]:
        """(what was changed, which protected files were put back)"""
        told: list[Change] = []
        put_back: list[str] = []
        async with self._turn:
            changes = self._snapshots.changes()
            while batch := await on_daemon_thread(partial(_batch, changes)):
                for change in batch:  # the session's file is this thread's
                    if not may_change_protected and change.known and self._safeguards.protected(change.path):
                        put_back.append(change.path)
                        self._put_back(change)
                        continue
                    self._journal(change)
                    if not change.ignored and len(told) < MAX_TOLD:
                        told.append(Change(change.path, _kind(change)))
            if put_back:
                await on_daemon_thread(self._snapshots.take)
        return told, put_back

    def _put_back(self, change: CommandChange) -> None:
        if change.before is None:
            self._space.remove(change.path)
        else:
            self._space.write(change.path, change.before)

    def _tell(self, what: str) -> None:
        if what != self._told:
            self._told = what
            self._events.warn(what)

    def close(self) -> None:
        """Keeps for the next session what was learned."""
        self._snapshots.close()


def _batch(changes: Iterator[CommandChange]) -> list[CommandChange]:
    """The next of them, as many as are not too much to hold."""
    batch, size = [], 0
    for change in changes:
        batch.append(change)
        size += len(change.before or b"")
        if size > MAX_HELD or len(batch) >= MAX_TOLD:
            break
    return batch


def _kind(change: CommandChange) -> ChangeKind:
    return "deleted" if change.after is None else "created" if change.before is None else "updated"
