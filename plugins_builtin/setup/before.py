"""The questions before a run begins in a terminal: which servers, then what of the folder is trusted."""

from pathlib import Path

from agentic.config import Settings
from plugins_builtin.setup import servers, trust


def ask(root: Path, settings: Settings, has_tools: bool) -> Settings:
    """The settings as the user's answers leave them."""
    settings = servers.with_servers(settings)
    if has_tools:
        trust.decide_on_new(root, settings)
    return settings
