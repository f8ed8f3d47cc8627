"""The user's folders for agentic, the same on every system: `~/.config/agentic` and its kin, or where XDG_* says.

As platformdirs has them for Unix, without what importing that costs: a fifth of `agentic --help`.
"""

import os

TYPE_CHECKING = False  # `typing` itself costs a quarter of what `agentic --version` takes
if TYPE_CHECKING:
    from pathlib import Path

_USUAL = {
    "XDG_CONFIG_HOME": "~/.config",
    "XDG_STATE_HOME": "~/.local/state",
    "XDG_CACHE_HOME": "~/.cache",
    "XDG_DATA_HOME": "~/.local/share",
}


def config_folder() -> "Path":
    """Returns the folder for what the user writes."""
    return _path("XDG_CONFIG_HOME")


def state_folder() -> "Path":
    """Returns the folder where agentic keeps what it learned."""
    return _path("XDG_STATE_HOME")


def cache_folder() -> "Path":
    """Returns the folder where agentic keeps what it can do without."""
    return _path("XDG_CACHE_HOME")


def data_folder() -> "Path":
    """Returns the folder where agentic keeps what it fetched."""
    return _path("XDG_DATA_HOME")


def own_folders() -> "tuple[Path, ...]":
    """All of them, wherever they are."""
    return config_folder(), state_folder(), cache_folder(), data_folder()


def place(variable: str) -> str:
    """The folder that the variable moves, as text."""
    moved = os.environ.get(variable, "")
    return os.path.join(moved if moved.strip() else os.path.expanduser(_USUAL[variable]), "agentic")


def _path(variable: str) -> "Path":
    from pathlib import Path

    return Path(place(variable))
