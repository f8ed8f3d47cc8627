"""The changes that commands make to files: remembered before, told and journaled after; protected files are put back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from agentic import Change, Workspace
from agentic.lib.files.beneath import read_regular
from agentic.lib.listing import first_few
from agentic.lib.record import record
from agentic.lib.safeguards import Safeguards
from agentic.lib.threads import on_daemon_thread
from agentic.sessions.undo import CommandChange, Journal, JournalOfRoot
from agentic.types import ChangeKind
from plugins_builtin.command_undo.backwards import MAX_NAMED, NOT_DONE, holds, make_again, put_back_file, take_away
from plugins_builtin.command_undo.entries import FILE, FOLDER, MAX_BELOW, PRIVATE, ProtectedEntries
from plugins_builtin.command_undo.put_back import PutBack
from plugins_builtin.command_undo.snapshots import Snapshots

AnyJournal = Journal | JournalOfRoot
MAX_TOLD = 200  # changes of one command that a model's work counts
ROUNDS = 4  # of moving back
AGAIN = -1  # stands for a job that goes on, where something was not put back
MAX_HARMLESS = 64 << 20  # bytes of a file that is looked into
MAX_HELD = 16 << 20  # bytes of what was changed that are held at once


async def _nothing() -> Collection[str]:
    return ()


@record(frozen=True, slots=True)
class Surroundings:
    """`lingers()` are the numbers of what commands started and still runs, `held()` the entries that no command can change."""

    lingers: Callable[[], frozenset[int]] = frozenset
    held: Callable[[], Awaitable[Collection[str]]] = _nothing


class CommandChanges:
    """The changes that commands make in one folder. `journal` is told of those that can be undone; None if others do that."""

    def __init__(
        self,
        workspace: Workspace,
        cache: Path,
        safeguards: Safeguards,
        journal: AnyJournal | None,
        warn: Callable[[str], None],
        surroundings: "Surroundings | None" = None,
    ) -> None:
        surroundings = surroundings or Surroundings()
        self._safeguards = safeguards
        self._journal = journal
        self._warn = warn
        self._lingers, self._hold = surroundings.lingers, surroundings.held
        self._held: Collection[str] = ()
        self._late = frozenset[int]()  # what lingered at the last look, and may have changed something since
        self._late_may_change = False
        self._active = 0  # commands that go on, of agents that work in one folder
        self._own_before: Mapping[str, str | None] = {}  # what the tools had written when the last comparison began
        self._broken = ""
        self._space = Workspace(workspace.root, temporary=workspace.temporary)
        self._protected = ProtectedEntries(workspace.root, safeguards)
        self._entries: dict[str, str] = {}
        self._were: Mapping[str, object] = {}  # the files in protected folders at the look before
        self._snapshots = Snapshots(workspace.root, cache, lambda: self._protected.files_of(self._entries), self._is_protected)
        self._turn = asyncio.Lock()
        self._told = ""

    @property
    def private(self) -> tuple[Path, ...]:
        """The files of secrets that were there before the command."""
        return tuple(self._space.root / path for path, kind in self._entries.items() if kind == PRIVATE)

    async def prepare(self) -> None:
        """Remembers the folder for the first time, so that the first command need not wait for it."""
        async with self._turn:
            try:
                await on_daemon_thread(self._snapshots.take)
            except OSError as error:  # told where a command is to run
                self._broken = error.strerror or str(error)

    async def before(self) -> None:
        """The folder as it is now can be brought back. What cannot is told, once; what was changed late is put back before."""
        async with self._turn:
            try:
                await self._put_back_late()
                self._held = await self._hold()
                self._snapshots.holds = self._snapshots.holds or bool(self._active)
                if not self._snapshots.holds:
                    await self._look()
                    self._own_before = self._own()
                stands = {path: kind for path, kind in self._entries.items() if kind not in (FILE, PRIVATE)}
                session = self._journal.session_id if self._journal else ""
                await on_daemon_thread(partial(self._snapshots.take, session, stands))
                self._broken = ""
                if left_out := self._snapshots.left_out():
                    self._tell(f"what commands do to these cannot be taken back: {left_out}")
            except OSError as error:
                self._broken = error.strerror or str(error)
                self._tell(f"what commands change cannot be taken back: {self._broken}")
            self._active += 1

    async def after(self, may_change_protected: bool) -> tuple[list[Change], str]:
        """(what was changed, a line that says which protected files were put back, "" for none)"""
        async with self._turn:
            back = PutBack(self._space.root)
            self._active -= 1
            lingers = bool(self._late) and not self._late_may_change
            others = lingers or bool(self._active)  # what they change could not be told from what this one did
            try:
                put_back, changes = await self._compare(back, may_change_protected and not others, self._journal)
            except OSError as error:
                self._tell(f"what the command changed is not known, and nothing of it was put back: {error.strerror or error}")
                return [], ""
        named = first_few(put_back, MAX_NAMED)
        note = f"{named}: protected, so it was put back as it was before the command{back.place}" if put_back else ""
        if note and may_change_protected:
            note += " (a command in the background goes on, and may have done it: stop it before you do it over)"
        if back.keeps:  # it may be the user's own work, done meanwhile
            self._warn(note)
        return changes, note

    async def _compare(self, back: PutBack, may_change: bool, journal: AnyJournal | None) -> tuple[list[str], list[Change]]:
        """(what is protected and was put back, what else was changed) What the agent's tools wrote stays. Raises OSError."""
        now = self._own()
        own = {path: mark for path, mark in now.items() if self._own_before.get(path, "") != mark}
        self._snapshots.own, self._snapshots.holds = own, not may_change
        before, inodes = self._entries, self._protected.inodes
        put_back: list[str] = []
        for _ in range(ROUNDS):  # what is moved back may bring more
            await self._look()
            self._entries = self._protected.without_new_environments(before, self._entries)
            taken = [] if may_change else await self._take_away(back, before, inodes, own)
            put_back += taken
            if not taken:
                break
        told: list[Change] = []
        async for change in self._changes():  # the session's file is this thread's
            if not may_change and self._is_protected(change.path):
                if own.get(change.path, "") != change.after and not await on_daemon_thread(partial(self._is_harmless, change)):
                    put_back.append(put_back_file(back, change))
                    if put_back[-1] != change.path and journal is not None:
                        journal.command(change)  # `undo` may do it later
                continue
            if journal is not None:
                journal.command(change)
            if not change.ignored and len(told) < MAX_TOLD:
                told.append(Change(change.path, _kind(change)))
        if not may_change:
            put_back += await on_daemon_thread(partial(make_again, back, before, self._entries))
        put_back = list(dict.fromkeys(put_back))
        failed = any(NOT_DONE in each for each in put_back)
        await self._begin_anew(before, inodes, may_change, bool(put_back), failed)
        return put_back, told

    def _own(self) -> dict[str, str | None]:
        return dict(self._journal.last) if self._journal is not None else {}

    async def _begin_anew(
        self, before: dict[str, str], inodes: dict[str, int], may_change: bool, put_back: bool, failed: bool
    ) -> None:
        """Holds commands to what is there now; to what was there before, while one goes on that may not change it.

        So it does where something could not be put back: the next command tries it again.
        """
        lingers = self._lingers() | ({AGAIN} if failed else frozenset())
        if new := lingers - self._late:
            self._late_may_change = may_change and (self._late_may_change or new == lingers)
        self._late, self._late_may_change = lingers, self._late_may_change and bool(lingers)
        self._snapshots.holds = bool(self._active) or (bool(lingers) and not self._late_may_change)
        if not self._snapshots.holds:
            self._own_before = self._own()
        if self._snapshots.holds:
            self._entries, self._protected.inodes = before, inodes
        elif put_back:
            await self._look()
        if put_back:
            await on_daemon_thread(self._snapshots.take)
        if not lingers and not self._active:
            self._snapshots.ended()

    async def _changes(self) -> AsyncIterator[CommandChange]:
        """Yields the changes since the last look at the files, which are read a batch at a time."""
        changes = self._snapshots.changes()
        while batch := await on_daemon_thread(partial(_batch, changes)):
            for change in batch:
                yield change

    async def _take_away(
        self, back: PutBack, before: Mapping[str, str], inodes: Mapping[str, int], own: Collection[str]
    ) -> list[str]:
        harmless = self._safeguards.harmless
        now = {
            path: kind
            for path, kind in self._entries.items()
            if not any(holds(path, each) for each in own) and not (kind == FOLDER and harmless(path, None))
        }
        taken: list[str] = await on_daemon_thread(partial(take_away, back, before, now, inodes, self._protected.inodes))
        return taken

    async def settle(self) -> None:
        """Nothing that commands started runs any more: what was changed since the last look is put back."""
        async with self._turn:
            try:
                await self._put_back_late()
            except OSError as error:
                self._tell(f"what commands changed at last is not known: {error.strerror}")

    async def _put_back_late(self) -> None:
        """Puts back what is protected and was changed between two commands, while one lingered. Raises OSError."""
        if not self._late:
            return
        back = PutBack(self._space.root)
        put_back, _ = await self._compare(back, self._late_may_change, None)
        if put_back:
            self._warn(
                f"{first_few(put_back, MAX_NAMED)}: protected, and changed while a command ran in the background,"
                f" so it was put back as it was{back.place}"
            )

    async def _look(self) -> None:
        self._were = self._protected.files
        self._entries = await on_daemon_thread(partial(self._protected.look, self._held))

    @property
    def unwatched(self) -> str:
        """Why commands ask though they are held: what they do to all of that is not seen. "" for nothing."""
        if AGAIN in self._late:
            return "what a command changed in protected files could not be put back"
        if self._broken:
            return f"what a command changes cannot be kept ({self._broken}), so protected files could not be put back"
        if self._snapshots.is_full(chain(self._entries, self._protected.files)):
            return "there is no room to keep the protected files, so what a command does to them could not be put back"
        beyond = ", ".join(self._protected.beyond)
        return f"{beyond} has more than {MAX_BELOW:,} entries, and what a command changes there is not seen" if beyond else ""

    def _is_protected(self, path: str) -> bool:
        has_place = path in self._protected.files or path in self._were or self._entries.get(path) == FILE
        return has_place or bool(self._safeguards.protected(path))

    def _is_harmless(self, change: CommandChange) -> bool:
        """True for a protected file as a command may leave it; it may be gone where it may be empty."""
        if change.after is None:
            return self._safeguards.harmless(change.path, "")
        try:
            data = read_regular(self._space.root / change.path, MAX_HARMLESS, follow=False)
            return self._safeguards.harmless(change.path, data.decode(errors="surrogateescape"))
        except (OSError, ValueError):
            return False

    def _tell(self, what: str) -> None:
        if what != self._told:
            self._told = what
            self._warn(what)

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
