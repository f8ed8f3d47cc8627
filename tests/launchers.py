"""Which sandboxes work on this machine."""

import asyncio
import functools
from pathlib import Path

import pytest

from agentic.api import sandbox_status
from agentic.errors import ConfigError
from agentic.testing import settings_with


@functools.cache
def launcher_works(name: str) -> bool:
    """Whether commands are held by it here."""
    try:
        return asyncio.run(sandbox_status(settings_with({"sandbox.launcher": name}), Path(__file__).parent)).confines
    except ConfigError:
        return False


def require_launcher(name: str) -> None:
    """Skips the test where it does not work."""
    if not launcher_works(name):
        pytest.skip(f"{name} does not work on this machine")
