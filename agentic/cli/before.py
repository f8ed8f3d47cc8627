"""Before a run: which servers it uses and what of the folder is trusted, asked where somebody can be."""

from pathlib import Path

from agentic.commands.start import can_ask
from agentic.config import Settings


def settled(settings: Settings) -> Settings:
    """The settings, with the servers that the user chooses where none is named and none of the usual ones runs."""
    named = settings.origins["llm.endpoints"] != "default" or settings.llm.transport != "auto"
    if named or not can_ask():
        return settings
    from agentic.cli.first_run import with_servers

    return with_servers(settings)


def ask_once(root: Path, settings: Settings) -> None:
    """In a terminal: asks about what this folder brings and nobody was asked about yet."""
    if not can_ask():
        return
    from agentic.cli.trust import ask_about

    ask_about(root, settings)
