"""The user's folders for agentic, the same on every system: `~/.config/agentic` and its kin, or where XDG_* says."""

from pathlib import Path

TYPE_CHECKING = False  # `typing` itself costs a quarter of what `agentic --version` takes
if TYPE_CHECKING:
    from platformdirs.unix import Unix


def config_folder() -> Path:
    """What the user writes."""
    return _folders().user_config_path


def state_folder() -> Path:
    """Where agentic keeps what it learned."""
    return _folders().user_state_path


def cache_folder() -> Path:
    """Where agentic keeps what it can do without."""
    return _folders().user_cache_path


def data_folder() -> Path:
    """Where agentic keeps what it fetched."""
    return _folders().user_data_path


def own_folders() -> "tuple[Path, ...]":
    """All of them, wherever they are."""
    return config_folder(), state_folder(), cache_folder(), data_folder()


def _folders() -> "Unix":
    from platformdirs.unix import Unix

    return Unix("agentic")
