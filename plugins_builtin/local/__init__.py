"""The embedded engine: llama.cpp in the process, with a small model that is fetched once and checked."""

from collections.abc import Iterable

from agentic import Command, Options, PluginInfo, Provider, Settings, Setup, Transport, TransportProvider, hookimpl


def _make(setup: Setup) -> Transport:
    from plugins_builtin.local.transport import LocalTransport

    return LocalTransport(setup.options)


def _cost(settings: Settings) -> str:
    """Says which model would be fetched, and its size; "" for none."""
    from plugins_builtin.local.models import MODELS, model_path

    model = MODELS.get(settings.section("llm.local").model)
    if model is None or model_path(model.name).exists():
        return ""
    return f"fetches {model.name} once, {model.size / 1e9:.1f} GB"


@hookimpl
def agentic_transports() -> Iterable[Provider[Transport]]:
    summary = "a small model in-process, by llama.cpp (needs the extra `local`)"
    yield TransportProvider("local", summary, _make, automatic=2, flag="--local", flag_key="model", cost=_cost)


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(Options("plugins_builtin.local.options:LocalOptions", section="llm.local"))


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("local", "manages the embedded engine's models: pull, list, rm", "plugins_builtin.local.command:local")
