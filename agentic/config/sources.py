"""The sources of layers: files, the environment, the command line."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from agentic.config.layers import Layer, Settings
from agentic.config.schema import KEYS
from agentic.errors import ConfigError
from agentic.folders import config_folder
from agentic.lib.files import read_regular

PROJECT_FILE = "agentic.toml"
MAX_BYTES = 5_000_000  # of a TOML file
_OTHER = re.compile(r"AGENTIC_(PLUGINS|SERVERS|TEST_\w*)")


def load(root: Path, overrides: Mapping[str, Any] | None = None, pairs: tuple[str, ...] = ()) -> Settings:
    """The settings for a run in `root`. `overrides` and `pairs` (KEY=VALUE texts) come from the command line.

    Keys of plugins are kept, and checked when the plugins are loaded (`Settings.with_plugins`).

    Raises ConfigError. `.env` files are never read.
    """
    layers = [file_layer(user_file())]
    project = find_project_file(root)
    if project:
        layers.append(file_layer(project, trusted=False))
    layers.append(environment_layer(os.environ))
    layers.append(Layer("command line", texts=dict(map(_parse_pair, pairs))))
    layers.append(Layer("command line", overrides or {}))
    settings = Settings([layer for layer in layers if layer.values or layer.texts])
    settings.again = partial(load, root, overrides, pairs)
    return settings


def user_file() -> Path:
    """The user's own file."""
    return config_folder() / "config.toml"


def find_project_file(root: Path) -> Path | None:
    """The nearest `agentic.toml` or `pyproject.toml` with `[tool.agentic]`, from `root` up to the repository's top.

    Above `root` it ends at the home folder, and a file of somebody else's there is none of the project's.
    """
    home = os.environ.get("HOME")
    for folder in (root, *root.parents):
        if folder != root and str(folder) == home:
            return None
        for path in (folder / PROJECT_FILE, folder / "pyproject.toml"):
            if (
                path.is_file()
                and (folder == root or _same_owner(path, root))
                and (path.name == PROJECT_FILE or file_layer(path).values)
            ):
                return path
        if (folder / ".git").exists():
            return None
    return None


def _same_owner(path: Path, root: Path) -> bool:
    try:
        return path.stat().st_uid in (os.getuid(), root.stat().st_uid)
    except OSError:
        return False


def file_layer(path: Path, trusted: bool = True) -> Layer:
    """The layer in a TOML file; empty where there is no file."""
    table = read_toml(path)
    if path.name == "pyproject.toml":
        tool = table.get("tool")
        own = tool.get("agentic", {}) if isinstance(tool, dict) else {}
        table = own if isinstance(own, dict) else {}
    return Layer(str(path), dict(_flatten(table)), trusted=trusted)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's table, empty where there is no file. Raises ConfigError."""
    try:
        data = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: not valid TOML: {str(error)[:120]}") from error


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        path = prefix + name
        if isinstance(value, dict) and path not in KEYS and path.count(".") < 8:
            yield from _flatten(value, f"{path}.")
        else:
            yield path, value


def environment_layer(environment: Mapping[str, str]) -> Layer:
    """`AGENTIC_LLM_ENDPOINTS=a,b` and so on, one variable for each key."""
    return Layer(
        "environment",
        texts={name: text for name, text in environment.items() if name.startswith("AGENTIC_") and not _OTHER.fullmatch(name)},
    )


def _parse_pair(pair: str) -> tuple[str, str]:
    name, equals, text = pair.partition("=")
    if not equals:
        raise ConfigError(f"-c {pair}: expected KEY=VALUE", "for example -c workflow.max_iterations=20")
    return name, text
