"""The host's side of plugins: found by metadata, loaded in isolation, selected by name, called one at a time."""

import os
from functools import lru_cache
from pathlib import Path

from agentic.config import Settings
from agentic.plugins.discovery import tried, user_folder
from agentic.plugins.host import Host
from agentic.plugins.status import PluginStatus

__all__ = ["Host", "PluginStatus", "host_of"]


def host_of(settings: Settings) -> Host:
    """The plugins that these settings allow, loaded once per process and user."""
    own = user_folder() if user_folder().is_dir() else None
    return _loaded(settings.plugins.disabled, settings.disabled_by_project, os.environ.get("AGENTIC_PLUGINS"), (own, *tried))


@lru_cache(maxsize=2)
def _loaded(disabled: tuple[str, ...], by_project: frozenset[str], only: str | None, files: tuple[Path | None, ...]) -> Host:
    return Host(disabled, by_project, recalls=files == (files[0],))
