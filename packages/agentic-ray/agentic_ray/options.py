"""The table [plugin.ray]."""

from collections.abc import Mapping
from typing import Any

from agentic import Section, setting


class RayOptions(Section):
    address: str = setting("local", 'the cluster, as HOST:PORT or ray://HOST:PORT; "local" is one of its own on this machine')
    runtime_env: Mapping[str, Any] = setting({}, "Ray's runtime environment for the workers")
    cpus: float = setting(1.0, "what Ray reserves for one sub-agent", minimum=0.0)
    resources: Mapping[str, Any] = setting({}, "further resources of Ray's that one sub-agent takes")
