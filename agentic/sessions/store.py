"""The store of sessions: found by id or folder, listed, removed; a damaged one is set aside and what is readable saved."""

import contextlib
import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentic.errors import ConfigError
from agentic.lib.database import fill_up, open_readonly, rows
from agentic.lib.files import changed_at, make_own
from agentic.lib.record import record
from agentic.sessions.session import SUFFIX, Session


@record(frozen=True, slots=True)
class Summary:
    """A session as the list shows it. `state`: "" or what is wrong with it. `changed` in seconds since the epoch."""

    id: str
    root: str
    title: str
    changed: float
    size: int
    state: str = ""


class SessionStore:
    """The folder of session files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self, root: Path) -> Session:
        """A fresh session; one in memory where the folder cannot be written."""
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"
        try:
            make_own(self._folder)
            return Session.at(self._folder / f"{name}{SUFFIX}", root)
        except (OSError, sqlite3.Error) as error:
            return Session.in_memory(f"no session is kept: {error}")

    def open(self, name: str) -> tuple[Session, str]:
        """(session, what has to be told about it). `name` is an id or an unambiguous part of one.

        Raises ConfigError for one that is in use, or that may not be opened.
        """
        path = self._find(name)
        try:
            return _sound(path), ""
        except (sqlite3.OperationalError, OSError) as error:  # its folder or its owner, not its content
            raise ConfigError(f"session {path.stem} cannot be opened: {error}", f"is {path.parent} yours to write?") from error
        except sqlite3.DatabaseError as error:
            saved, count = self._save(path)
            what = f"{count} records could be read, the damaged file is {path.name}.corrupt-*"
            return saved, f"session {saved.id} was damaged ({error}): {what}"

    def read(self, name: str) -> Session:
        """For looking at, while another process may write it."""
        path = self._find(name)
        try:
            session = Session.for_reading(path)
            session.all_metadata()
            return session
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"session {path.stem} is damaged: {error}", f"`agentic run --resume {path.stem}` saves what is readable"
            ) from error

    def latest(self, root: Path) -> str:
        """The id of this folder's newest session. Raises ConfigError where there is none."""
        for summary in self.of(root):
            return summary.id
        raise ConfigError(f"there is no session of {root} to continue", "`agentic sessions` lists them all")

    def of(self, root: Path) -> Iterator[Summary]:
        """This folder's, the newest first."""
        real = os.path.realpath(root)
        return (summary for summary in self.all() if summary.root == real)

    def search(self, root: Path, words: Sequence[str]) -> Iterator[Summary]:
        """Yields this folder's sessions whose title or conversation contains all the words, the newest first."""
        for summary in self.of(root):
            if all(word.lower() in summary.title.lower() for word in words):
                yield summary
            elif not summary.state:
                with contextlib.suppress(sqlite3.Error), contextlib.closing(self.read(summary.id)) as session:
                    if session.says(words):
                        yield summary

    def fork(self, session: Session) -> str:
        """The id of a copy. Raises ConfigError where it cannot be written."""
        copy = self.new(Path(session.metadata("root")))
        with contextlib.closing(copy):
            if not copy.id:
                raise ConfigError(f"the session cannot be copied: {copy.fault}")
            session.copy_into(copy)
            return copy.id

    def all(self) -> Iterator[Summary]:
        """The newest first; a damaged one among them."""
        yield from sorted(map(_summary, self._paths()), key=lambda summary: summary.changed, reverse=True)

    def remove(self, name: str) -> str:
        """The id of what was removed. Raises ConfigError for one in use."""
        path = self._find(name)
        with contextlib.suppress(sqlite3.DatabaseError):
            Session.at(path).close()  # raises when it is in use
        for leftover in self._folder.glob(f"{path.stem}.*"):
            leftover.unlink(missing_ok=True)
        return path.stem

    def _paths(self) -> list[Path]:
        return [
            path for path in sorted(self._folder.glob(f"*{SUFFIX}"), reverse=True) if path.is_file() or path.is_dir()
        ]  # opening a FIFO waits

    def _find(self, name: str) -> Path:
        ids = {path.stem: path for path in self._paths()}
        found = [stem for stem in ids if name in stem] if name not in ids else [name]
        if not name or len(found) != 1:
            why = f"{len(found)} sessions match {name!r}" if name and found else f"there is no session {name!r}"
            raise ConfigError(why, "`agentic sessions` lists them")
        return ids[found[0]]

    def _save(self, path: Path) -> tuple[Session, int]:
        """A fresh file with what the damaged one still gives; the damaged one stays beside it."""
        aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%d%H%M%S')}")
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}{ending}", f"{aside}{ending}")
        fill_up(aside)
        session = Session.at(path)
        return session, sum(_salvage(aside, session, order) for order in ("", " DESC"))


def _sound(path: Path) -> Session:
    """Raises sqlite3.DatabaseError where what a conversation begins with cannot be read."""
    session = Session.at(path)
    try:
        session.all_metadata()
        view = session.last("view")
        deque(session.records("message", "amended", after=view.seq if view else 0), maxlen=0)
    except sqlite3.DatabaseError:
        session.close()
        raise
    return session


def _salvage(path: Path, session: Session, order: str) -> int:
    """Copies what can be read from this end and is not there yet; how many records that is."""
    count = 0
    with contextlib.suppress(sqlite3.Error), contextlib.closing(open_readonly(path)) as damaged:
        for table in ("facts", "contents", "records"):
            with contextlib.suppress(sqlite3.Error):
                for row in rows(damaged, f"SELECT * FROM {table} ORDER BY rowid{order}"):
                    count += session.copy(table, row) and table == "records"
    return count


def _summary(path: Path) -> Summary:
    facts: dict[str, str] = {}
    state, changed = "", 0.0
    try:
        session = Session.for_reading(path)
        with contextlib.closing(session):
            facts = session.all_metadata()
            changed = session.last_time()
    except sqlite3.Error as error:
        state = f"damaged: {error}"
    size = path.stat().st_size if path.exists() else 0
    return Summary(path.stem, facts.get("root", ""), facts.get("title", ""), changed or changed_at(path), size, state)
