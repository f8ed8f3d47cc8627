"""Writing configuration files: a commented one from the schema, or one key in a file that keeps the rest as it was."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from agentic.config.schema import KEYS, PLUGIN_PREFIX, Scope
from agentic.config.sources import parse_text, read_toml, toml_value
from agentic.errors import ConfigError

if TYPE_CHECKING:
    from tomlkit.items import Table

_SCOPES: dict[Scope, str] = {"user": "only in the user's own file", "select": "", "tighten": "a project may only lower it"}


def template() -> str:
    """A commented `agentic.toml`: every key with its default, switched off, and what it means."""
    import tomlkit

    lines = ["# agentic: what this project prefers. Every line is the default; remove the '#' before a key to change it.", ""]
    section = ""
    for key in KEYS.values():
        table, _, name = key.name.rpartition(".")
        if table != section:
            section = table
            lines += ["", f"[{table}]"]
        note = "; ".join(part for part in (key.help, _SCOPES[key.scope]) if part)
        lines.append(f"# {name} = {tomlkit.item(key.default).as_string()}  # {note}")
    return "\n".join(lines) + "\n"


def set_value(path: Path, name: str, text: str) -> None:
    """Sets one key in `path`; every other byte stays. Raises ConfigError."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    if name not in KEYS and not name.startswith(PLUGIN_PREFIX):
        raise ConfigError(f"unknown key {name!r}", "`agentic config show` lists all keys")
    value = parse_text(KEYS[name], text, "config set") if name in KEYS else toml_value(text)
    read_toml(path)  # a broken file is reported as everywhere else
    before = path.read_bytes().decode("utf-8") if path.exists() else ""
    try:
        document = tomlkit.parse(before)
        table: Table = document  # type: ignore[assignment]
        *sections, last = name.split(".")
        if path.name == "pyproject.toml":
            sections = ["tool", "agentic", *sections]
        for section in sections:
            if section not in table:
                table[section] = tomlkit.table(is_super_table=section != sections[-1])
            table = table[section]
        table[last] = value
    except (TOMLKitError, TypeError) as error:
        raise ConfigError(f"{path}: {name} cannot be set: {error}") from error
    replace_file(path, tomlkit.dumps(document).encode())


def replace_file(path: Path, data: bytes) -> None:
    """Old content or new content, whatever happens in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            os.chmod(beside, path.stat().st_mode & 0o7777)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
