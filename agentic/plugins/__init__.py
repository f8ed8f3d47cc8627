"""The host's side of plugins: found by metadata, loaded in isolation, selected by name, called one at a time."""

import os
from functools import lru_cache

from agentic.config import Settings
from agentic.plugins.host import Host
from agentic.plugins.status import PluginStatus

__all__ = ["Host", "PluginStatus", "host_of"]


def host_of(settings: Settings) -> Host:
    """The plugins that these settings allow, loaded once per process."""
    return _loaded(settings.plugins.disabled, settings.disabled_by_project, os.environ.get("AGENTIC_PLUGINS"))


@lru_cache(maxsize=2)
def _loaded(disabled: tuple[str, ...], by_project: frozenset[str], only: str | None) -> Host:
    return Host(disabled, by_project)
