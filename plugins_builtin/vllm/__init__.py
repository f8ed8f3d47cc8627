"""The streaming transport to vLLM, and to whatever else speaks its Chat Completions."""

from collections.abc import Iterable

from agentic import Command, Options, Provider, Setup, Transport, hookimpl


def _make(setup: Setup) -> Transport:
    from plugins_builtin.vllm.transport import VllmTransport

    return VllmTransport(setup.settings.llm, setup.options)


@hookimpl
def agentic_transports() -> Iterable[Provider[Transport]]:
    yield Provider("vllm", "streams from one or more vLLM endpoints", _make, automatic=1)


@hookimpl
def agentic_options() -> Options:
    return Options("plugins_builtin.vllm.options:VllmOptions", section="llm.vllm")


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("doctor", "what is wrong with the servers, and the line that mends it", "plugins_builtin.vllm.doctor:doctor")
    yield Command("bench", "what the servers can do, and what to set", "plugins_builtin.vllm.bench.command:bench")
    yield Command("serve", "prints or runs the vllm serve lines for this configuration", "plugins_builtin.vllm.serve:serve")
