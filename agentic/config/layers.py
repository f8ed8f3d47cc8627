"""Layers of configuration, resolved: defaults < user file < project file < environment < command line."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from agentic.config.schema import KEYS, PLUGIN_PREFIX, Key
from agentic.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Layer:
    """Values by dotted key. `origin` is where they stand; an untrusted layer only selects and tightens."""

    origin: str
    values: Mapping[str, Any]
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class Settings(Mapping[str, Any]):
    """The resolved values; `origins` says where each came from, `ignored` which were not the project's to set."""

    resolved: dict[str, Any]
    origins: dict[str, str]
    ignored: list[str] = field(default_factory=list)

    def __getitem__(self, key: str) -> Any:
        return self.resolved[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.resolved)

    def __len__(self) -> int:
        return len(self.resolved)

    def changed(self, name: str, value: Any, origin: str) -> "Settings":
        """The same but for one value. Raises ConfigError for one of the wrong type."""
        value = check(KEYS[name], value, origin)
        return Settings({**self.resolved, name: value}, {**self.origins, name: origin}, self.ignored)

    def plugin_table(self, name: str) -> dict[str, Any]:
        """The `[plugin.NAME]` table."""
        prefix = f"{PLUGIN_PREFIX}{name}."
        return {key.removeprefix(prefix): value for key, value in self.resolved.items() if key.startswith(prefix)}


def resolve(layers: Iterable[Layer]) -> Settings:
    """Pure: later layers win. Raises ConfigError naming file, key and what was expected."""
    settings = Settings({k.name: k.default for k in KEYS.values()}, dict.fromkeys(KEYS, "default"))
    for layer in layers:
        for name, value in layer.values.items():
            _apply(settings, layer, name, value)
    return settings


def _apply(settings: Settings, layer: Layer, name: str, value: Any) -> None:
    key = KEYS.get(name)
    if key is None and not name.startswith(PLUGIN_PREFIX):
        raise ConfigError(f"{layer.origin}: unknown key {name!r}", _did_you_mean(name))
    if key is not None:
        value = check(key, value, layer.origin)
    if not layer.trusted:
        allowed = key is not None and _may_set(key, value, settings.resolved[name])
        if not allowed:
            settings.ignored.append(f"{layer.origin}: {name} is not a project's to set that way; ignored")
            return
        if name == "plugins.disabled":
            value = sorted({*settings.resolved[name], *value})
    settings.resolved[name] = value
    settings.origins[name] = layer.origin


def _may_set(key: Key, value: Any, current: Any) -> bool:
    """Whether an untrusted project may set `key` to `value` over `current`."""
    if key.scope == "select":
        return True
    if key.scope == "user":
        return False
    if isinstance(value, list):  # only names of what to switch off: any addition is stricter
        return True
    if key.default == 0 and not isinstance(value, bool):  # 0 stands for "no limit of mine"
        return bool(value) and (current == 0 or value <= current)
    return bool(value <= current)


def check(key: Key, value: Any, origin: str) -> Any:
    """`value` in the key's type. Raises ConfigError saying what was expected."""
    expected = _expected(key)
    if isinstance(key.default, float) and type(value) is int:
        value = float(value)
    right = type(value) is type(key.default)
    if right and isinstance(value, list):
        right = all(isinstance(item, str) for item in value)
    elif right and isinstance(value, (int, float)) and not isinstance(value, bool):
        right = key.minimum <= value < float("inf")
    if not right or (key.choices and value not in key.choices):
        raise ConfigError(f"{origin}: {key.name} must be {expected}, not {value!r}", f"{key.name}: {key.help}")
    return value


def _expected(key: Key) -> str:
    if key.choices:
        return "one of " + ", ".join(choice or '""' for choice in key.choices)
    if isinstance(key.default, bool):
        return "true or false"
    if isinstance(key.default, (int, float)):
        kind = "a whole number" if isinstance(key.default, int) else "a number"
        return f"{kind} of at least {key.minimum:g}"
    return "a list of texts" if isinstance(key.default, list) else "a text"


def _did_you_mean(name: str) -> str:
    close = get_close_matches(name, KEYS, 1)
    return f"did you mean {close[0]}?" if close else "`agentic config show` lists all keys"
