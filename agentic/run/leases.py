"""Two writers without isolation are worse than one agent: a path is one sub-agent's at a time."""

import os


class Leases:
    """Who may write a path: the agent that wrote it first, until it ends. Sub-agents only: one agent alone needs none."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}

    def refuse(self, path: str, agent: str) -> str:
        """Takes the lease; who holds it where that is another, else ""."""
        holder = self._holders.setdefault(os.path.normpath(path), agent)
        return holder if holder != agent else ""

    def release(self, agent: str) -> None:
        self._holders = {path: holder for path, holder in self._holders.items() if holder != agent}
