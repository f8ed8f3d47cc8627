"""Questions to the user before a run begins, where somebody can be asked: which servers, what of the folder is trusted."""

from importlib import import_module
from pathlib import Path

from agentic.commands.start import can_ask
from agentic.config import Settings
from agentic.plugins import host_of


def prepared(root: Path, settings: Settings, has_tools: bool = True) -> Settings:
    """The settings as the user's answers leave them. Raises AgenticError."""
    if not can_ask():
        return settings
    for _, offer in sorted(host_of(settings).offers("agentic_commands").items()):
        module, _, name = offer.record.before.partition(":")
        if module:
            settings = getattr(import_module(module), name)(root, settings, has_tools)
    return settings
