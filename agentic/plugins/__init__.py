"""The host's side of plugins: found by metadata, loaded in isolation, selected by name, called one at a time."""

from agentic.plugins.host import Host
from agentic.plugins.status import PluginStatus

__all__ = ["Host", "PluginStatus"]
