"""The embedded engine: llama.cpp in the process, with a small model that is fetched once and checked."""

from collections.abc import Iterable

from agentic import Command, Options, Provider, Setup, Transport, hookimpl


def _make(setup: Setup) -> Transport:
    from plugins_builtin.local.transport import LocalTransport

    return LocalTransport(setup.options)


@hookimpl
def agentic_transports() -> Iterable[Provider[Transport]]:
    yield Provider("local", "llama.cpp in the process (the extra `local`)", _make, automatic=2, flag="--local", flag_key="model")


@hookimpl
def agentic_options() -> Options:
    return Options("plugins_builtin.local.options:LocalOptions", section="llm.local")


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("local", "the embedded engine's models: pull, list, rm", "plugins_builtin.local.command:local")
