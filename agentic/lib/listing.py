"""Many names in a few lines: those of a folder's files, the first of a list, the rows of a table."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from agentic.lib.files import files_below, read_regular
from agentic.lib.workspace import Workspace

MAX_LISTED = 5_000


def branch_of(root: Path) -> str:
    """The branch in .git/HEAD, or the commit; "" outside. Read, not asked for: git would run what a repository configures."""
    for folder in (root, *root.parents):
        try:
            head = read_regular(folder / ".git" / "HEAD", 1_000).decode("utf-8", "replace").strip()
        except OSError:
            continue
        return head.removeprefix("ref: refs/heads/")[:60] if head.startswith("ref:") else head[:12]
    return ""


def folded(names: Sequence[str], room: int) -> str:
    """Lists the top level: files, and folders with how many files are below."""
    below = Counter(name.partition("/")[0] for name in names if "/" in name)
    lines = [
        *(name for name in names if "/" not in name),
        *(f"{folder}/ ({count} files)" for folder, count in sorted(below.items())),
    ]
    return "\n".join(within(lines, room))


def within(lines: Sequence[str], room: int) -> list[str]:
    """Returns as many lines as have room, and how many more there are."""
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return [*kept, f"(and {len(lines) - len(kept)} more)"] if len(lines) > len(kept) else kept


def first_few(names: Sequence[str], most: int) -> str:
    """Names that many of them, and counts the others.

    >>> first_few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def in_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yields a line for each row: its cells as wide as the widest of their column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield from ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def file_names(root: Path) -> list[str]:
    """Returns the names of the files that are listed for the model: no hidden files."""
    shown = (name for name in files_below(root) if not any(part.startswith(".") for part in name.split("/")))
    return list(islice(shown, MAX_LISTED))


def surroundings(space: Workspace) -> str:
    """Returns the facts that change from day to day; they stand only in the newest message."""
    root, branch = space.root, branch_of(space.root)
    more = "".join(f" You may work in {each}, too, by full paths." for each in space.grants.roots)
    return f"Date: {time.strftime('%Y-%m-%d')}. Folder: {root.name}" + (f" (git branch {branch})." if branch else ".") + more
