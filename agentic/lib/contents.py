"""Contents of a workspace's files, and the way back to them."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from agentic.errors import AgenticError
from agentic.lib.workspace import FileNotFoundToolError, Workspace

Contents = Mapping[str, bytes | None]
"""By path what is in each of some files, None for no file."""


def content_of(space: Workspace, path: str) -> bytes | None:
    """The file's bytes; None where there is none that can be read."""
    try:
        return space.read(path).data if space.exists(path) else None
    except AgenticError:
        return None


def text_of(space: Workspace, path: str, most: int) -> str:
    """Returns the file's text; "" where there is none, it is none, or it has more than `most` bytes."""
    stamp = space.stamp(path)
    if stamp is None or stamp[1] > most:
        return ""
    try:
        return space.read(path).data.decode("utf-8")
    except (AgenticError, UnicodeDecodeError):
        return ""


def current_of(space: Workspace, path: str) -> bytes | None:
    """The file's bytes, None for no file. Raises ToolError where it cannot be read."""
    try:
        return space.current(path).data
    except FileNotFoundToolError:
        return None


def contents_of(space: Workspace, paths: Iterable[str]) -> Contents:
    return {path: content_of(space, path) for path in paths}


def put_back(space: Workspace, wanted: Contents) -> None:
    """Brings files to these contents, and those that the workspace changed besides to what they were. Raises ToolError."""
    for path in {**space.originals, **wanted}:
        data = wanted.get(path, space.originals.get(path))
        if data == content_of(space, path):
            continue
        if data is None:
            space.remove(path)
        else:
            space.write(path, data)


def put_all(space: Workspace, wanted: Contents, modes: Mapping[str, int] = MappingProxyType({})) -> dict[str, bytes | None]:
    """Brings files to these contents, new ones to these permission bits: all of them or none; what was there before.

    Raises AgenticError.
    """
    before = {path: current_of(space, path) for path in wanted}
    done: list[str] = []
    try:
        for path, data in wanted.items():
            _put(space, path, data, before[path], modes.get(path))
            done.append(path)
    except AgenticError:
        for path in reversed(done):
            _put(space, path, before[path], wanted[path])
        raise
    return before


def _put(space: Workspace, path: str, data: bytes | None, now: bytes | None, mode: int | None = None) -> None:
    if data is not None:
        space.write(path, data, mode)
    elif now is not None:
        space.remove(path)


def same_lines(before: bytes, now: bytes) -> bool:
    """True if only blank lines, and blanks at the ends of lines, differ."""
    return lines_of(before) == lines_of(now)


def lines_of(data: bytes) -> list[bytes]:
    """Its lines without blank ones, and without blanks at their ends."""
    return [line.rstrip() for line in data.splitlines() if line.strip()]
