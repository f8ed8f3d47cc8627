"""Two writers without isolation are worse than one agent: a path is one sub-agent's at a time."""

import os
from collections.abc import Iterable, Mapping

from agentic.errors import ToolError


class Leases:
    """Who may write a path: an agent that the plan names for it, else the one that wrote it first, until it ends.

    `planned` maps agents to the files and folders that the plan says they write.
    """

    def __init__(self, planned: Mapping[str, Iterable[str]] | None = None) -> None:
        self._planned = {agent: {os.path.normpath(path) for path in paths} for agent, paths in (planned or {}).items()}
        self._holders: dict[str, str] = {}
        self._authors: dict[str, str] = {}

    def claim(self, path: str, agent: str, has_read: bool) -> None:
        """Takes the lease until `release`. Raises ToolError with the name of whoever holds it, or wrote it unread by this one."""
        path = os.path.normpath(path)
        owners = [other for other, paths in self._planned.items() if _within(path, paths)]
        if owners and agent not in owners:
            holder = owners[0]
        else:
            holder = self._holders.setdefault(path, agent)
        if holder != agent:
            raise ToolError(f"{path} is being written by {holder}: do your own part, and say what you need there")
        author = self._authors.setdefault(path, agent)
        if author != agent and not has_read:
            raise ToolError(f"{path} was written by {author}: read it first, or take another name")
        self._authors[path] = agent

    def release(self, agent: str) -> None:
        """It has ended, whatever it held or was to write."""
        self._planned.pop(agent, None)
        self._holders = {path: holder for path, holder in self._holders.items() if holder != agent}


def is_folder(path: str) -> bool:
    """True if a path of a plan means a folder, which need not be there yet: "web/", "web"; but "a.py", "Makefile", ".env"."""
    name = os.path.basename(path)
    return not name or ("." not in name and name == name.lower())


def _within(path: str, planned: Iterable[str]) -> bool:
    return any(path == other or path.startswith(f"{other}{os.sep}") for other in planned)
