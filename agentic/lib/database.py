"""SQLite files of ours: opened, read, and made readable where they are cut short."""

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

_LARGEST = 64 << 30  # a header may say anything


def opened(path: Path, schema: str) -> sqlite3.Connection:
    """Opens a database of ours alone, or makes it. Raises sqlite3.Error."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))  # conversations are nobody else's
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    database.text_factory = lambda data: data.decode("utf-8", "replace")
    try:
        rows(database, "PRAGMA journal_mode = WAL")
        rows(database, "PRAGMA synchronous = NORMAL")
        database.executescript(schema)
    except sqlite3.Error:
        database.close()
        raise
    return database


def open_readonly(path: Path) -> sqlite3.Connection:
    """Opens one that another process may write. Raises sqlite3.Error."""
    database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    database.text_factory = lambda data: data.decode("utf-8", "replace")
    return database


def rows(database: sqlite3.Connection, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
    """Raises sqlite3.DatabaseError, also for a schema that is no text."""
    try:
        return database.execute(query, values)
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError(f"its schema is no text: {error}") from error


def fill_up(path: Path) -> None:
    """SQLite reads nothing of a file that is shorter than its header says; with zeros at the end it reads what is there."""
    with open(path, "rb") as file:
        header = file.read(32)
    page = int.from_bytes(header[16:18], "big") or 1
    size = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if path.stat().st_size < size <= _LARGEST:
        os.truncate(path, size)
