"""Configuration: a schema with a scope for each key, layers, and where each value came from."""

from agentic.config.layers import Settings
from agentic.config.sources import load

__all__ = ["Settings", "load"]
