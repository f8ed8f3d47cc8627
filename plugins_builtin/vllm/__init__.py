"""The streaming transport to vLLM, and to whatever else speaks its Chat Completions."""

from collections.abc import Iterable

from agentic import Provider, Setup, Transport, hookimpl


def _make(setup: Setup) -> Transport:
    from plugins_builtin.vllm.transport import VllmTransport

    return VllmTransport(setup.settings)


@hookimpl
def agentic_transports() -> Iterable[Provider[Transport]]:
    yield Provider("vllm", "streams from one or more vLLM endpoints", _make, automatic=1)
