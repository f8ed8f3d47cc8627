"""The process that a worker's commands are forked from."""

import functools
import os

from agentic.testing import ForkServer

PORTABLE = not hasattr(os, "O_PATH")
"""Whether nothing of Linux's own is here: macOS, or `tests/portable`. No sandbox of ours works then."""

IMPORTED_LATE = ["jsonschema", "pyflakes.checker", "rich.ansi", "tomlkit", "tree_sitter_bash"]
"""What commands import when they need it, and what takes long."""


def base_environment() -> dict[str, str]:
    """An environment with nothing of the user's in it, but for a home."""
    others = ("AGENTIC_", "XDG_", "OPENAI_", "PYTHON", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others) or name == "PYTHONPATH"}
    own = {"TERM": "dumb", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    own["AGENTIC_LLM_RETRY_SECONDS"] = "1"  # what fails in most tests fails for good
    own["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # a project's tests that are run as a check need none of ours
    return kept | own | ({"AGENTIC_SANDBOX_MODE": "off"} if PORTABLE else {})


@functools.cache
def server() -> ForkServer:
    """One for the whole worker; it is started by the first test that needs it."""
    return ForkServer(IMPORTED_LATE, base_environment())


def end() -> None:
    server().close()
    server.cache_clear()
