"""Paths that need the user's word, and those that have it."""

import os
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Literal

from agentic.errors import AgenticError, ToolError
from agentic.lib.files import printable_name
from agentic.lib.record import record

Access = Literal["read", "write"]


class NotGranted(AgenticError):
    """A path may not be touched without the user's word; `path` as the user reads it, `access` what is wanted."""

    def __init__(self, message: str, path: str, access: Access = "read") -> None:
        super().__init__(message)
        self.path = path
        self.access: Access = access


class OutsideWorkspace(NotGranted):
    """A path leads out of the root."""

    def __init__(self, path: str, access: Access = "read") -> None:
        super().__init__(f"{printable_name(path)} is outside the folder that this run may touch", path, access)


class FileNotFoundToolError(ToolError):
    """There is no such file."""


@record(slots=True)
class Grants:
    """The user's grants beside the root: (path, access), and further `roots`: folders to work in as in the first one.

    `needs_word` says why a path needs the user's word although it is beneath the root, "" where it needs none.
    """

    given: set[tuple[str, Access]] = field(default_factory=set)
    needs_word: Callable[[str, Access], str] = lambda path, access: ""
    roots: list[Path] = field(default_factory=list)

    def root_of(self, path: str) -> Path | None:
        """Returns the further root that an absolute path lies in, None for none."""
        return next((root for root in self.roots if path == str(root) or path.startswith(f"{root}{os.sep}")), None)
