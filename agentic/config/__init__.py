"""Configuration: typed sections with a scope for each key, layers, and where each value came from."""

from agentic.config.layers import Settings
from agentic.config.section import Section, setting
from agentic.config.sources import load

__all__ = ["Section", "Settings", "load", "setting"]
