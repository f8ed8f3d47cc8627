"""The user's folders for agentic, the same on every system: `~/.config/agentic` and its kin, or where XDG_* says."""

from pathlib import Path


def config_folder() -> Path:
    """What the user writes."""
    from platformdirs.unix import Unix

    return Unix("agentic").user_config_path


def state_folder() -> Path:
    """Where agentic keeps what it learned."""
    from platformdirs.unix import Unix

    return Unix("agentic").user_state_path


def cache_folder() -> Path:
    """Where agentic keeps what it can do without."""
    from platformdirs.unix import Unix

    return Unix("agentic").user_cache_path


def data_folder() -> Path:
    """Where agentic keeps what it fetched."""
    from platformdirs.unix import Unix

    return Unix("agentic").user_data_path
