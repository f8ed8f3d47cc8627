"""A session's file: records that are only ever appended, contents by their name, facts, and a lock for its one writer."""

import fcntl
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentic.errors import ConfigError
from agentic.lib.database import open_readonly, opened, rows
from agentic.lib.record import record
from agentic.types import recall_id

SUFFIX = ".db"
VERSION = "1"
MAX_TITLE = 80
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, time REAL, kind TEXT, agent TEXT, data TEXT);
CREATE INDEX IF NOT EXISTS records_by_kind ON records (kind, seq);
CREATE TABLE IF NOT EXISTS contents (id TEXT PRIMARY KEY, data BLOB);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
"""


@record(frozen=True, slots=True)
class Record:
    """`kind`: message, amended, view (a trim's outcome), turn, event, file (a write), undone, redone, shared.

    Others are skipped.
    """

    seq: int
    time: float
    kind: str
    agent: str
    data: dict[str, Any]


class Session:
    """Records are safe from a kill once `append` returns (WAL: 20 µs); a disk that takes no more sets `fault` and costs no run."""

    _tell: Callable[[str], None] | None = None

    def __init__(self, database: sqlite3.Connection, path: Path = Path(), fault: str = "", lock: int = -1) -> None:
        self.path = path
        self.id = path.name.removesuffix(SUFFIX)
        self.fault = fault
        self._database = database
        self._lock = lock

    @classmethod
    def at(cls, path: Path, root: Path | None = None) -> "Session":
        """Opens a session, or creates one of the folder `root`.

        Raises ConfigError when another process has it open, sqlite3.DatabaseError when it is damaged.
        """
        lock = _lock(path)
        try:
            session = cls(opened(path, _SCHEMA), path, lock=lock)
            if root is not None:
                session.set_metadata("version", VERSION)
                session.set_metadata("root", os.path.realpath(root))
                session.set_metadata("created", str(time.time()))
        except BaseException:
            os.close(lock)
            raise
        return session

    @classmethod
    def for_reading(cls, path: Path) -> "Session":
        """Opens a session that another process may write. Raises sqlite3.DatabaseError when it is damaged."""
        return cls(open_readonly(path), path)

    @classmethod
    def in_memory(cls, why: str) -> "Session":
        """Makes one for a place where nothing can be kept; `why` is its fault."""
        database = sqlite3.connect(":memory:", isolation_level=None)
        database.executescript(_SCHEMA)
        return cls(database, fault=why)

    def append(self, kind: str, data: Mapping[str, Any], agent: str = "main") -> int:
        """The record's number."""
        row = (time.time(), kind, agent, json.dumps(data, default=str))
        return self._write("INSERT INTO records (time, kind, agent, data) VALUES (?, ?, ?, ?)", row)

    def keep(self, content: bytes) -> str:
        """Stores a file's bytes; the name by which `content` finds them."""
        name = hashlib.sha256(content).hexdigest()
        self._write("INSERT OR IGNORE INTO contents VALUES (?, ?)", (name, content))
        return name

    def keep_output(self, text: str) -> str:
        """Stores a tool's whole output; the name by which `content` (and the `recall` tool) finds it."""
        self._write("INSERT OR IGNORE INTO contents VALUES (?, ?)", (recall_id(text), text.encode("utf-8", "replace")))
        return recall_id(text)

    def content(self, name: str) -> bytes | None:
        row = rows(self._database, "SELECT data FROM contents WHERE id = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def set_metadata(self, name: str, value: str) -> None:
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def metadata(self, name: str) -> str:
        """ "" for one that was never set."""
        return self.all_metadata(name).get(name, "")

    def has_metadata(self, name: str) -> bool:
        """True if it was ever set."""
        return bool(self.all_metadata(name))

    def all_metadata(self, like: str = "%") -> dict[str, str]:
        """Returns the metadata whose names match the SQL pattern."""
        found = rows(self._database, "SELECT name, value FROM facts WHERE name LIKE ?", (like,))
        return {name: _metadata_value(value) for name, value in found}

    def says(self, words: Sequence[str]) -> bool:
        """True if all the words are in the conversation."""
        kept = [f"%{json.dumps(word)[1:-1]}%" for word in words]  # as a record has them
        query = "SELECT 1 FROM records WHERE kind IN ('message', 'amended') AND data LIKE ? LIMIT 1"
        return all(rows(self._database, query, (like,)).fetchone() for like in kept)

    def copy_into(self, other: "Session") -> None:
        """Makes the other one the same. Raises sqlite3.Error."""
        self._database.backup(other._database)

    def last_time(self) -> float:
        """When the newest record was written, 0 where there is none."""
        for (when,) in rows(self._database, "SELECT time FROM records ORDER BY seq DESC LIMIT 1"):
            return when if isinstance(when, float) else 0.0
        return 0.0

    def records(self, *kinds: str, after: int = 0) -> Iterator[Record]:
        """In order; of these kinds, or all. Rows that cannot be read are left out."""
        where = f"seq > ? AND kind IN ({', '.join('?' * len(kinds))})" if kinds else "seq > ?"
        query = f"SELECT seq, time, kind, agent, data FROM records WHERE {where} ORDER BY seq"
        yield from read_records(self._database, query, (after, *kinds))

    def turns(self) -> list[Record]:
        """The turns of the agent that the user talks to, in order."""
        return [record for record in self.records("turn") if record.agent == "main"]

    def last(self, kind: str, agent: str = "main") -> Record | None:
        """The newest record of its kind and agent."""
        query = "SELECT seq, time, kind, agent, data FROM records WHERE kind = ? AND agent = ? ORDER BY seq DESC LIMIT 1"
        return next(read_records(self._database, query, (kind, agent)), None)

    def copy(self, table: str, row: tuple[Any, ...]) -> bool:
        """Takes a row over from another session's file; whether it was not there yet."""
        places = ", ".join("?" * len(row))
        before = self._database.total_changes
        self._write(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)
        return self._database.total_changes > before

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        try:
            return self._database.execute(statement, values).lastrowid or 0
        except sqlite3.Error as error:
            if not self.fault:
                self.fault = f"the session cannot be written any more ({error}); what follows is not kept"
                if self._tell is not None:
                    self._tell(self.fault)
            return 0

    def tell_faults(self, tell: Callable[[str], None]) -> None:
        """`tell` is called once, as soon as nothing is kept any more."""
        self._tell = tell
        if self.fault:
            tell(self.fault)

    def close(self) -> None:
        self._database.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def name_session(session: Session, said: str) -> None:
    """After the first thing that was said in it."""
    if not session.metadata("title"):
        session.set_metadata("title", " ".join(said.split())[:MAX_TITLE])


def _lock(path: Path) -> int:
    """A lock file beside: locks on the database's own file would drop SQLite's."""
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        name = path.name.removesuffix(SUFFIX)
        raise ConfigError(f"session {name} is in use by process {holder}", "end that one first, or begin a new session") from error
    except OSError:
        os.close(descriptor)
        raise
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def read_records(database: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> Iterator[Record]:
    for seq, when, kind, agent, data in rows(database, query, values):
        try:
            parsed = json.loads(data)
        except (ValueError, TypeError, RecursionError):
            continue
        if isinstance(parsed, dict) and isinstance(kind, str):
            yield Record(seq, when if isinstance(when, float) else 0.0, kind, str(agent), parsed)


def _metadata_value(text: Any) -> str:
    try:
        return str(json.loads(text))
    except (ValueError, TypeError):
        return ""
