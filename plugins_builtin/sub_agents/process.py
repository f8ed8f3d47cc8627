"""Each part of a plan in a process of its own on this machine."""

import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from agentic import Part, RunnerSetup, sub_agent


class ProcessRunner:
    """A part that crashes, or is killed for memory, takes nothing else along."""

    elsewhere = False

    def __init__(self, setup: RunnerSetup) -> None:
        self._secrets = setup.secrets

    def run(self, part: Part) -> AsyncIterator[Mapping[str, Any]]:
        return sub_agent((sys.executable, "-P", "-m", "agentic", "sub-agent"), part, self._secrets)
