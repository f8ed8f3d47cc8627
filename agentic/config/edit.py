"""Writing configuration files: a commented one from the schema, or one key in a file that keeps the rest as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentic.config.layers import Settings
from agentic.config.schema import KEYS
from agentic.config.section import Scope, plain
from agentic.config.sources import read_toml
from agentic.errors import ConfigError
from agentic.lib.files import replace_file

_SCOPES: dict[Scope, str] = {
    "user": "only in the user's own file",
    "select": "",
    "lower": "a project may only lower it",
    "higher": "a project may only raise it",
    "more": "a project may only add to it",
    "fewer": "a project may only take from it",
    "tighten": "only in the user's own file",
}


def template(settings: Settings) -> str:
    """A commented `agentic.toml`: every key with its default, switched off, and what it means."""
    lines = ["# agentic: what this project prefers. Every line is the default; remove the '#' before a key to change it.", ""]
    section = ""
    for name, key in sorted(settings.declared(), key=lambda item: item[0].rpartition(".")[0]):
        table, _, field = name.rpartition(".")
        if table != section:
            section = table
            lines += ["", f"[{table}]"]
        note = "; ".join(part for part in (key.help, _SCOPES[key.scope]) if part)
        lines.append(f"# {field}: {note}" if key.default is None else f"# {field} = {toml_text(key.default)}  # {note}")
    return "\n".join(lines) + "\n"


def toml_text(value: Any) -> str:
    """A value as TOML writes it; nothing for one that is not set."""
    import tomlkit

    if value is None:
        return ""
    try:
        if isinstance(value, dict):
            table = tomlkit.inline_table()
            table.update(value)
            return table.as_string()
        text: str = tomlkit.item(plain(value)).as_string()
    except (TypeError, ValueError):  # of a plugin's model: any object may be a default
        return str(value)
    return text


def set_value(path: Path, name: str, text: str, settings: Settings, project: bool = False) -> None:
    """Sets one key in `path`; every other byte stays. Raises ConfigError, for a `project`'s file also where it would be ignored."""
    import tomlkit

    key = dict(settings.declared()).get(name)
    if key is None:
        raise ConfigError(f"unknown key {name!r}", "`agentic config show` lists all keys")
    if project and key.scope in ("user", "tighten"):
        raise ConfigError(f"a project's file may not set {name}", "add --user to set it in your own file")
    value = key.parse(text, name, "config set")
    if name not in KEYS:  # a model may know more of its values than their types
        settings.changed(name, value, "config set").section(name.rpartition(".")[0])
    with _edited(path, name) as document:
        table: Any = document
        *sections, last = _place(path, name)
        for section in sections:
            if section not in table:
                table[section] = tomlkit.table(is_super_table=section != sections[-1])
            table = table[section]
        if value is None:
            table.pop(last, None)
        else:
            table[last] = plain(value)


def unset_value(path: Path, name: str) -> bool:
    """Takes one key, or a whole table, out of `path`; whether it was there. Every other byte stays. Raises ConfigError."""
    with _edited(path, name) as document:
        table: Any = document
        *sections, last = _place(path, name)
        for section in sections:
            table = table.get(section, {}) if isinstance(table, dict) else {}
        return isinstance(table, dict) and table.pop(last, None) is not None


def _place(path: Path, name: str) -> list[str]:
    return [*(("tool", "agentic") if path.name == "pyproject.toml" else ()), *name.split(".")]


@contextmanager
def _edited(path: Path, name: str) -> Iterator[Any]:
    """The file's document, written back as it was but for what is changed. Raises ConfigError."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    read_toml(path)  # a broken file is reported as everywhere else
    before = path.read_bytes().decode("utf-8") if path.exists() else ""
    try:
        document = tomlkit.parse(before)
        yield document
    except (TOMLKitError, TypeError) as error:
        raise ConfigError(f"{path}: {name} cannot be changed: {error}") from error
    after = tomlkit.dumps(document)
    if after != before:
        replace_file(path, after.encode())
