"""The plugin host: loads what discovery found, and is the one place that speaks to pluggy."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import pluggy

from agentic.errors import ConfigError, PluginError
from agentic.hooks import PROJECT, Command, Provider, Setup
from agentic.plugins.discovery import Candidate, discover
from agentic.plugins.isolation import Failure, call_isolated, describe
from agentic.plugins.status import PluginStatus

T = TypeVar("T")

# The configuration key that selects among the providers of each hook.
SELECTED_BY = {
    "agentic_transports": "llm.transport",
    "agentic_batchers": "batching.strategy",
    "agentic_context_strategies": "context.strategy",
    "agentic_complexity_estimators": "complexity.estimator",
    "agentic_decomposers": "decomposition.strategy",
    "agentic_fan_outs": "sub_agents.fan_out",
    "agentic_tools": "tools.enabled",
    "agentic_renderers": "ui.renderer",
}
_SPECS = ["transport", "batching", "context", "complexity", "decomposition", "fan_out", "tools", "screen", "commands", "events"]


class Host:
    """Plugins, loaded once. `statuses` lists every plugin found, the broken and the disabled too."""

    def __init__(self, disabled: Iterable[str] = ()) -> None:
        self.manager = pluggy.PluginManager(PROJECT)
        self._add_specs()
        self._by_name: dict[str, PluginStatus] = {}
        self.statuses: list[PluginStatus] = []
        self._offers: dict[str, dict[str, tuple[str, Any]]] = {}
        for candidate in discover(set(disabled)):
            self.statuses.append(candidate.status)
            if candidate.status.state == "loaded":
                self._by_name[candidate.status.name] = candidate.status
                self._load(candidate)

    def _add_specs(self) -> None:
        from importlib import import_module

        for concern in _SPECS:
            self.manager.add_hookspecs(import_module(f"agentic.hooks.{concern}"))

    def _load(self, candidate: Candidate) -> None:
        status = candidate.status
        started = time.perf_counter()
        try:
            if candidate.builtin:  # ours: no thread to wait for
                plugin = candidate.entry_point.load()
            else:
                plugin = call_isolated(candidate.entry_point.load)
            self.manager.register(plugin, status.name)
            self.manager.check_pending()
        except (Failure, Exception) as error:
            self.fail(status.name, str(error) if isinstance(error, Failure) else describe(error))
        status.load_ms = (time.perf_counter() - started) * 1000
        if status.state == "loaded":
            callers = self.manager.get_hookcallers(plugin) or []
            status.hooks = sorted(caller.name for caller in callers)

    def fail(self, name: str, error: str) -> None:
        """Marks a plugin broken; none of its hooks is called again."""
        status = self._by_name[name]
        status.state, status.error = "broken", error
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)

    def plugin(self, name: str) -> Any:
        """The registered plugin object."""
        return self.manager.get_plugin(name)

    def distribution(self, name: str) -> str:
        """The distribution that brought a plugin."""
        return self._by_name[name].distribution

    def implementations(self, hook: str) -> list[tuple[str, Callable[..., Any], tuple[str, ...]]]:
        """(plugin, function, argument names) for each implementation, in the order of loading: builtins first."""
        implementations = getattr(self.manager.hook, hook).get_hookimpls()
        order = {status.name: place for place, status in enumerate(self.statuses)}
        ordered = sorted(implementations, key=lambda i: order[i.plugin_name])
        return [(i.plugin_name, i.function, (*i.argnames, *i.kwargnames)) for i in ordered]

    def offers(self, hook: str) -> dict[str, tuple[str, Any]]:
        """What plugins offer through a provider hook: name to (plugin, record). Raises PluginError for a name offered twice."""
        if hook not in self._offers:
            self._offers[hook] = self._collect(hook)
        return self._offers[hook]

    def _collect(self, hook: str) -> dict[str, tuple[str, Any]]:
        offers: dict[str, tuple[str, Any]] = {}
        for plugin, function, _ in self.implementations(hook):
            try:
                if self._is_builtin(plugin):
                    records = list(function())
                else:
                    records = call_isolated(partial(_listed, function))
                wrong = next((r for r in records if not isinstance(r, Provider | Command)), None)
                if wrong is not None:
                    raise Failure(f"{hook} gave {wrong!r}, which is no Provider or Command")
            except Failure as failure:
                self.fail(plugin, f"{hook}: {failure}")
                continue
            for record in records:
                if record.name in offers:
                    raise self._conflict(hook, record.name, offers[record.name][0], plugin)
                offers[record.name] = (plugin, record)
        return offers

    def _is_builtin(self, plugin: str) -> bool:
        return self._by_name[plugin].distribution == PROJECT

    def _conflict(self, hook: str, name: str, first: str, second: str) -> PluginError:
        owners = " and ".join(f"{plugin} (of {self.distribution(plugin)})" for plugin in (first, second))
        return PluginError(
            f"{hook}: {name!r} is offered by {owners}", f"switch one off: -c plugins.disabled={second}, or in the file"
        )

    def provider(self, hook: str, name: str) -> tuple[str, Provider[Any]]:
        """(plugin, provider) of that name. Raises ConfigError that lists the choices and who offers them."""
        offers = self.offers(hook)
        if name not in offers:
            choices = ", ".join(f"{choice} ({self.distribution(plugin)})" for choice, (plugin, _) in sorted(offers.items()))
            broken = [f"{s.name}: {s.error}" for s in self.statuses if s.state not in ("loaded", "disabled")]
            also = f"; not loaded: {'; '.join(broken)}" if broken else ""
            raise ConfigError(
                f"{SELECTED_BY.get(hook, hook)}: no plugin offers {name!r}", f"choose from: {choices or 'none'}{also}"
            )
        return offers[name]

    def build(self, hook: str, name: str, setup: Callable[[str, Provider[Any]], Setup]) -> Any:
        """The object that the named provider's factory makes. Raises ConfigError or PluginError."""
        plugin, provider = self.provider(hook, name)
        own = setup(plugin, provider)
        if self._is_builtin(plugin):
            return provider.factory(own)
        try:
            return call_isolated(lambda: provider.factory(own))
        except Failure as failure:
            raise PluginError(
                f"plugin {plugin} (of {self.distribution(plugin)}) cannot make {name!r}: {failure}",
                f"choose another {SELECTED_BY[hook]}, or switch the plugin off: -c plugins.disabled={plugin}",
            ) from failure


def _listed(hook: Callable[[], Iterable[Any]]) -> list[Any]:
    return list(hook())


def plugin_options(plugin: str, provider: Provider[Any], table: Mapping[str, Any]) -> Any:
    """The `[plugin.NAME]` table, validated by the provider's pydantic model where it has one. Raises ConfigError."""
    if provider.options is None:
        return dict(table)
    from pydantic import ValidationError

    try:
        return provider.options.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"[plugin.{plugin}] {where}: {first['msg']}", "`agentic config show` says where it was set") from error
