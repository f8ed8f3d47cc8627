"""The guard that looks at what commands do to files: it has them taken back, and asks where it cannot."""

from agentic import CommandWatch, PermissionsSetup, Workspace
from agentic.api import session_store
from agentic.folders import cache_folder
from agentic.hooks.permissions import Judgement
from agentic.sessions.undo import Journal, JournalOfRoot

NOTHING = Judgement()


class UndoGuard:
    """Judges nothing but commands, and those only where what they do could not be put back."""

    def __init__(self, setup: PermissionsSetup) -> None:
        self._setup = setup
        self._floor = setup.settings.permissions.floor
        self._watches: list[CommandWatch] = []

    def of_command(self, command: str, tool: str = "", check: str = "") -> Judgement:
        """Asks in every mode while what a command does is not seen, or cannot be put back."""
        unwatched = next(filter(None, (str(getattr(each, "unwatched", "")) for each in self._watches)), "")
        return Judgement(dangers=(unwatched,)) if unwatched and self._floor else NOTHING

    def of_path(self, kind: str, path: str, tool: str = "") -> Judgement:
        return NOTHING

    def of_host(self, host: str, tool: str = "") -> Judgement:
        return NOTHING

    def of_tool(self, name: str) -> Judgement:
        return NOTHING

    def watch(self, workspace: Workspace, keeps: bool) -> CommandWatch:
        """Returns the watch of a folder. `keeps`: what commands change there can be taken back by the session."""
        from plugins_builtin.command_undo.changes import CommandChanges, Surroundings

        setup = self._setup
        journal: Journal | JournalOfRoot | None = setup.journal if keeps else None
        if setup.journal is not None and keeps and workspace.root != setup.root.resolve():
            journal = JournalOfRoot(setup.journal, workspace.root)

        async def unchangeable() -> list[str]:
            return list(await setup.unchangeable(workspace.root))

        surroundings = Surroundings(setup.lingers, unchangeable)
        made = CommandChanges(workspace, cache_folder(), setup.safeguards(), journal, setup.warn, surroundings)
        self._watches.append(made)
        return made

    def take_up(self) -> str:
        """Has the session know what its command did that a kill cut off here; a line for the user, "" for nothing."""
        from plugins_builtin.command_undo.interrupted import take_up_interrupted

        return take_up_interrupted(self._setup.root, cache_folder(), self._setup.safeguards, session_store())
