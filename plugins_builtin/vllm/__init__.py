"""The streaming transport to vLLM, and to whatever else speaks its Chat Completions."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from agentic import Command, Options, PluginInfo, Provider, Settings, Setup, Transport, TransportProvider, hookimpl
from agentic.hooks.transport import Found

if TYPE_CHECKING:
    from plugins_builtin.vllm.transport import VllmTransport


def transport_of(settings: Settings) -> "VllmTransport":
    """The transport to the endpoints of these settings, with the families that the installed plugins know."""
    from agentic.api import family
    from agentic.lib.families import UNKNOWN
    from plugins_builtin.vllm.transport import VllmTransport

    known = partial(family, settings)
    return VllmTransport(settings.llm, settings.section("llm.vllm"), settings.origins, lambda served: known(served) is not UNKNOWN)


def _make(setup: Setup) -> Transport:
    return transport_of(setup.settings)


async def _find(settings: Settings) -> Sequence[Found]:
    from plugins_builtin.vllm.found import find

    return await find(settings)


@hookimpl
def agentic_transports() -> Iterable[Provider[Transport]]:
    yield TransportProvider("vllm", "streams from one or more vLLM endpoints", _make, automatic=1, find=_find)


@hookimpl
def agentic_plugin() -> PluginInfo:
    options = Options("plugins_builtin.vllm.options:VllmOptions", section="llm.vllm")
    return PluginInfo(options, flags={"--log-requests": "log_requests write all requests and answers to this file, without keys"})


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("doctor", "says what is wrong with the servers, and the flag that fixes it", "plugins_builtin.vllm.doctor:doctor")
    yield Command("bench", "measures what the servers can do, and says what to set", "plugins_builtin.vllm.bench.command:bench")
    yield Command("top", "shows the servers live: load, cache, speed; yours and other clients'", "plugins_builtin.vllm.top:top")
    yield Command("serve", "prints or runs the vllm serve lines for this configuration", "plugins_builtin.vllm.serve:serve")
