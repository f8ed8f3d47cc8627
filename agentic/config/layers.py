"""Layers of configuration, resolved: defaults < user file < project file < environment < command line."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from agentic.config import schema
from agentic.config.options import PluginSection
from agentic.config.schema import KEYS, PLUGIN_PREFIX, SECTIONS
from agentic.config.section import Key, plain
from agentic.errors import ConfigError, PluginError
from agentic.lib.record import record
from agentic.lib.sanitize import hide_login

_ALIASES = {"AGENTIC_LOG": "log.file"}
_URLS, _TABLES, _LOGINS = "llm.endpoints", "llm.endpoint", "llm.logins"


@record(frozen=True, slots=True)
class Layer:
    """Values by dotted key. `origin` is where they stand; an untrusted layer only selects and tightens.

    `texts` are values that are still to be parsed, by dotted key or by the name of an environment variable.
    """

    origin: str
    values: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = True

    def under(self, prefix: str) -> Iterator[tuple[str, Any, bool]]:
        """(name behind the prefix, value, whether it is a text) of everything in a section."""
        variable = variable_of(prefix)
        for name, value in self.values.items():
            if name.startswith(prefix):
                yield name.removeprefix(prefix), value, False
        for name, text in self.texts.items():
            if name.startswith(prefix):
                yield name.removeprefix(prefix), text, True
            elif name.startswith(variable):
                yield name.removeprefix(variable).lower(), text, True


class Settings:
    """The resolved values, a frozen object per section; `origins` says where each came from.

    `ignored` are values that were not the project's to set, `disabled_by_project` the plugins that only a project switches off.
    `section` gives a plugin's own, `again` the settings from the same places as they are now. Raises ConfigError naming file, key
    and what was expected.
    """

    llm: schema.LlmSettings
    batching: schema.Batching
    context: schema.ContextSettings
    workflow: schema.WorkflowSettings
    complexity: schema.ComplexityEstimate
    decomposition: schema.Decomposition
    sub_agents: schema.SubAgentSettings
    tools: schema.Tools
    sandbox: schema.SandboxSettings
    checks: schema.Checks
    prompts: schema.PromptSettings
    permissions: schema.PermissionSettings
    approval: schema.Approval
    plugins: schema.Plugins
    ui: schema.Ui
    log: schema.Log

    def __init__(self, layers: Sequence[Layer] = ()) -> None:
        self._layers = tuple(layers)
        self._plugin_sections: dict[str, PluginSection] = {}
        self._made: dict[str, Any] = {}
        self._logins: dict[str, str] = {}
        self.values: dict[str, Any] = {name: key.default for name, key in KEYS.items()}
        self.origins = dict.fromkeys(KEYS, "default")
        self.ignored: list[str] = []
        self.again: Callable[[], Settings] = lambda: self
        self.disabled_by_project: frozenset[str] = frozenset()
        for layer in self._layers:
            self._apply(layer)
        for name, section in SECTIONS.items():
            setattr(self, name, section(**{field: self.values[f"{name}.{field}"] for field in section.known}))

    def _apply(self, layer: Layer) -> None:
        if layer.trusted and {_TABLES, _URLS} <= layer.values.keys():
            raise ConfigError(f"{layer.origin}: {_URLS} and {_TABLES} both name the endpoints", f"leave out {_URLS}")
        for name, value in layer.values.items():
            if name in KEYS:
                self._put(layer, name, KEYS[name], KEYS[name].check(value, name, layer.origin))
        for text_name, text in layer.texts.items():
            name = _VARIABLES.get(text_name, text_name)
            if name in KEYS:
                self._put(layer, name, KEYS[name], KEYS[name].parse(text, name, _origin(layer, text_name)))

    def _put(self, layer: Layer, name: str, key: Key, value: Any) -> None:
        if not layer.trusted:
            if not key.may_be_set_by_project(value, self.values[name]):
                self.ignored.append(f"{layer.origin}: {name} is not a project's to set that way; ignored")
                return
            if name == "plugins.disabled":
                self.disabled_by_project = frozenset(value) - frozenset(self.values[name])
            if isinstance(value, tuple) and key.scope == "more":
                value = tuple(dict.fromkeys([*self.values[name], *value]))
            if key.narrows and self.values[name]:
                narrowed = tuple(each for each in value if each in self.values[name]) or self.values[name]
                if narrowed != value:
                    self.ignored.append(f"{layer.origin}: {name} can only choose from what you named; the rest is ignored")
                value = narrowed
        elif name == "plugins.disabled":
            self.disabled_by_project -= frozenset(value)
        if name == _URLS:
            value = tuple(self._address(url, layer) for url in value)
        elif name == _TABLES:
            value = tuple(type(each)(**(vars(each) | {"url": self._address(each.url, layer)})) for each in value)
        self.values[name] = {**value, **self._logins} if name == _LOGINS else value
        self.origins[name] = layer.origin
        if name == _TABLES:
            self._put(layer, _URLS, KEYS[_URLS], _urls_of(value, layer.origin))

    def _address(self, url: str, layer: Layer) -> str:
        """The URL as it may be shown; the user and password in it are kept apart."""
        url = url.strip()
        if re.fullmatch(r"(?:[^/@]+@)?(?:[\w.-]+|\[[\d:a-fA-F]+\]):\d+(?:/.*)?", url):  # HOST:PORT, as people type it
            url = f"http://{url}"
        url = url.removesuffix("/chat/completions").removesuffix("/models")  # as some copy it from a page
        address, login = hide_login(url)
        if login:
            self._logins[address.rstrip("/")] = login
            self._put(layer, _LOGINS, KEYS[_LOGINS], self.values[_LOGINS])
        return address

    def role(self, name: str) -> schema.Role:
        """Which model does that work."""
        found: schema.Role = getattr(self, f"llm.roles.{name}")
        return found

    def portable(self, but: Collection[str] = ()) -> dict[str, Any]:
        """Returns the settings that differ from the defaults, as JSON has them, without the keys in `but`."""
        set_here = (name for name, origin in self.origins.items() if origin != "default" and name not in but)
        return {name: plain(self.values[name]) for name in set_here}

    def changed(self, name: str, value: Any, origin: str) -> "Settings":
        """The same but for one value. Raises ConfigError for one of the wrong type."""
        other = Settings((*self._layers, Layer(origin, {name: value})))
        other._plugin_sections = self._plugin_sections
        return other

    def with_plugins(self, sections: Mapping[str, PluginSection], known: Collection[str]) -> "Settings":
        """The same with the plugins' own sections. `known` are all plugins found, also those that are not loaded.

        Raises ConfigError for a key that belongs to nobody, or has a wrong value.
        """
        self._plugin_sections = dict(sections)
        for name in sections:
            if any(True for layer in self._layers for _ in layer.under(f"{name}.")):
                self.section(name)
        for layer in self._layers:
            for name in (*layer.values, *layer.texts):
                if not self._has_owner(name, known):
                    self._refuse(layer, name, known)
        return self

    def declared(self) -> Iterator[tuple[str, Key]]:
        """Every key with its declaration: the host's, then those of the plugins that are loaded."""
        yield from KEYS.items()
        for section in self._plugin_sections.values():
            try:
                keys = section.keys()
            except PluginError as error:  # one plugin's mistake hides nobody else's keys
                self.ignored.append(f"{error}; {error.remedy}")
                continue
            yield from ((f"{section.name}.{name}", key) for name, key in keys.items())

    def section(self, name: str) -> Any:
        """A plugin's options: an instance of its model; a plain dict for a plugin that declares none."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Any:
        declared = self._plugin_sections.get(name) or PluginSection(name)
        keys = declared.keys()
        values: dict[str, Any] = {}
        for layer in self._layers:
            for field_name, value, is_text in layer.under(f"{name}."):
                full = f"{name}.{field_name}"
                key = keys.get(field_name)
                current = values.get(field_name, key.default if key else None)
                if not (layer.trusted or (key and key.may_be_set_by_project(value, current))):
                    self.ignored.append(f"{layer.origin}: {full} is not a project's to set that way; ignored")
                    continue
                self.values[full] = values[field_name] = declared.value(field_name, value, is_text, layer.origin)
                self.origins[full] = layer.origin
        return declared.make(values)

    def _has_owner(self, name: str, known: Collection[str]) -> bool:
        prefixes = [f"{section}." for section in self._plugin_sections] + [f"{PLUGIN_PREFIX}{plugin}." for plugin in known]
        return (
            name in KEYS
            or name in _VARIABLES
            or any(name.startswith((prefix, variable_of(prefix))) for prefix in prefixes)
            or any(f".{plugin}." in name or f"_{plugin.upper()}_" in name for plugin in known)  # one that is switched off
        )

    def _refuse(self, layer: Layer, name: str, known: Collection[str]) -> None:
        if name.startswith("AGENTIC_"):
            raise ConfigError(f"environment: no key belongs to {name}", "`agentic config show` lists all keys; unset it")
        if not name.startswith(PLUGIN_PREFIX):
            raise ConfigError(f"{layer.origin}: unknown key {name!r}", _did_you_mean(name, KEYS))
        if not layer.trusted:
            self.ignored.append(f"{layer.origin}: {name} is not a project's to set that way; ignored")
            return
        plugin = name.split(".")[1]
        raise ConfigError(f"{layer.origin}: [plugin.{plugin}] belongs to no plugin", _did_you_mean(plugin, known))


def variable_of(name: str) -> str:
    """The environment variable of a key, or the beginning of those of a section."""
    return "AGENTIC_" + name.upper().replace(".", "_").replace("-", "_")


_VARIABLES = {variable_of(name): name for name in KEYS} | _ALIASES


def _origin(layer: Layer, name: str) -> str:
    return name if name.startswith("AGENTIC_") else f"-c {name}"


def _urls_of(tables: Sequence[schema.EndpointSettings], origin: str) -> tuple[str, ...]:
    """The endpoints that tables name; a later layer may choose others."""
    urls = tuple(table.url for table in tables)
    if "" in urls or len(set(urls)) < len(urls):
        raise ConfigError(f"{origin}: each [[{_TABLES}]] has a url of its own", 'url = "http://HOST:PORT/v1"')
    return urls


def _did_you_mean(name: str, keys: Collection[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, keys, 1)
    return f"did you mean {close[0]}?" if close else "`agentic config show` lists all keys, `agentic plugins` all plugins"
