"""The merging of what parts did in copies of the folder back into it, one after the other, each followed by a check."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agentic.errors import ToolError
from agentic.lib.contents import current_of, put_all
from agentic.lib.git import git
from agentic.lib.workspace import Workspace

Check = Callable[[], Awaitable[str]]
"""Runs what shows whether the whole works: "" where it does or nothing can be said, else what fails."""
Sides = Mapping[str, tuple[bytes | None, bytes | None]]
"""Of each file that a part changed what it began with and what it left, None for no file."""


class Merging:
    """The merging of one plan. It writes through the workspace, so that a session can undo it. `home` is for unfinished files."""

    def __init__(self, workspace: Workspace, home: Path, check: Check) -> None:
        self._workspace = workspace
        self._home = home
        self._check = check
        self._failing: str | None = None  # what failed before the merge; None: not asked yet
        self._turn = asyncio.Lock()

    async def merge(self, sides: Sides, left: str, checked: bool = False) -> tuple[str, ...]:
        """The files that changed in the folder. Where the part conflicts, or breaks the check, nothing is changed.

        Raises ToolError then, which says that the part's work is `left` somewhere.
        """
        async with self._turn:
            wanted = {}
            for name, (base, theirs) in sorted(sides.items()):
                ours = current_of(self._workspace, name)
                if ours != theirs:
                    wanted[name] = theirs if ours == base else await self._three_way(name, ours, base, theirs, left)
            if wanted and checked:
                self._apply(wanted)
            elif wanted:
                await self._put(wanted, left)
            return tuple(wanted)

    async def _put(self, wanted: Mapping[str, bytes | None], left: str) -> None:
        if self._failing is None:
            self._failing = await self._check()
        before = self._apply(wanted)
        failing = await self._check()
        if failing and not self._failing:
            self._apply(before)
            raise ToolError(f"with them this fails: {failing}; {left}")
        self._failing = failing

    async def _three_way(self, name: str, ours: bytes | None, base: bytes | None, theirs: bytes | None, left: str) -> bytes:
        """Both sides' changes in one. Raises ToolError where they touch the same lines."""
        if ours is None or theirs is None:
            raise ToolError(f"{name} was changed by one and removed by another; {left}")
        with _written(self._home, ours=ours, base=base or b"", theirs=theirs) as folder:
            try:
                return await git(folder, "merge-file", "-p", "ours", "base", "theirs")
            except ToolError as error:
                raise ToolError(f"{name} was changed in the same place by another; {left}") from error

    def _apply(self, wanted: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """All or none; what was there before.

        Not through a stage: its commit takes what a question was answered for, and nobody was asked about these.
        """
        space = self._workspace.view()
        space.journal = self._workspace.journal
        return put_all(space, wanted)


@contextmanager
def _written(home: Path, **files: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=home) as name:
        for file, data in files.items():
            Path(name, file).write_bytes(data)
        yield Path(name)
