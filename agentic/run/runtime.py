"""From settings to the selected objects: transport, batcher, screen, tools. Everything by name, nothing known by name."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from agentic.config import Settings
from agentic.errors import AgenticError, ConfigError, RequestRejected, none_answered
from agentic.events import Event, Warned
from agentic.hooks import Provider, Setup
from agentic.hooks.batching import Batcher
from agentic.hooks.screen import Renderer
from agentic.hooks.tools import Delegate, Memory, Tool
from agentic.hooks.transport import Transport
from agentic.plugins import Host
from agentic.plugins.dispatcher import Dispatcher
from agentic.plugins.host import plugin_options
from agentic.types import EndpointInfo

AUTO_SECONDS = 1.0  # an endpoint that takes longer does not answer, as far as `auto` goes


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a command works with while it runs."""

    settings: Settings
    host: Host
    events: Dispatcher
    transport: Transport
    batcher: Batcher
    info: EndpointInfo
    choice: str
    run: str
    setup: Callable[[str, Provider[Any]], Setup]

    def build(self, hook: str, key: str) -> Any:
        """The object that the setting `key` selects from `hook`'s offers."""
        return self.host.build(hook, self.settings[key], self.setup)

    def tools(self, memory: Memory, delegate: Delegate) -> dict[str, Tool]:
        """The enabled tools by name."""
        names = self.settings["tools.enabled"] or list(self.host.offers("agentic_tools"))

        def setup(plugin: str, provider: Provider[Any]) -> Setup:
            return replace(self.setup(plugin, provider), memory=memory, delegate=delegate)

        return {name: self.host.build("agentic_tools", name, setup) for name in names}


@asynccontextmanager
async def open_runtime(settings: Settings, host: Host, stdout: TextIO, renderer_name: str) -> AsyncIterator[Runtime]:
    """Builds what the settings select and closes it afterwards. Raises AgenticError, EndpointUnavailable when none answers."""
    run = secrets.token_hex(4)
    holder: list[Dispatcher] = []

    async def emit(event: Event) -> None:
        await holder[0].emit(event)

    def setup(plugin: str, provider: Provider[Any]) -> Setup:
        return Setup(settings, emit, plugin_options(plugin, provider, settings.plugin_table(plugin)), None, stdout)

    renderer: Renderer = host.build("agentic_renderers", renderer_name, setup)
    holder.append(Dispatcher(host, renderer, run))
    transport: Transport | None = None
    try:
        for line in (*settings.ignored, *_broken(host)):
            await emit(Warned(message=line))
        transport, choice = await _transport(settings, host, setup)

        def batcher_setup(plugin: str, provider: Provider[Any]) -> Setup:
            return replace(setup(plugin, provider), transport=transport)

        batcher: Batcher = host.build("agentic_batchers", settings["batching.strategy"], batcher_setup)
        yield Runtime(settings, host, holder[0], transport, batcher, await batcher.info(), choice, run, setup)
    finally:
        renderer.close()
        if transport is not None:
            await transport.aclose()


def _broken(host: Host) -> list[str]:
    bad = [status for status in host.statuses if status.state not in ("loaded", "disabled")]
    return [f"plugin {status.name} (of {status.distribution}) is {status.state}: {status.error}" for status in bad]


async def _transport(settings: Settings, host: Host, setup: Callable[[str, Provider[Any]], Setup]) -> tuple[Transport, str]:
    """(transport, why in one line). `auto` takes the first that answers, in the order that the providers give."""
    name = settings["llm.transport"]
    if name != "auto":
        return host.build("agentic_transports", name, setup), ""
    offers = [(record.automatic, name) for name, (_, record) in host.offers("agentic_transports").items() if record.automatic]
    failures: dict[str, AgenticError] = {}
    for _, name in sorted(offers):
        transport: Transport = host.build("agentic_transports", name, setup)
        found = await _silent_endpoints(transport)
        if len(found) < len(transport.endpoints):
            return transport, f"{name}: nothing answered at {', '.join(failures)}" if failures else ""
        failures |= found
        await transport.aclose()
    raise none_answered(failures)


async def _silent_endpoints(transport: Transport) -> dict[str, AgenticError]:
    """Why each endpoint that gave no answer gave none; one that answers is enough to stop asking.

    Raises RequestRejected where the only ones that answered refused (a wrong key, an unknown model): silence is another matter.
    """
    rejected: RequestRejected | None = None
    silent: dict[str, AgenticError] = {}
    for endpoint in transport.endpoints:
        try:
            async with asyncio.timeout(AUTO_SECONDS):
                await transport.probe(endpoint)
        except TimeoutError:
            silent[endpoint] = AgenticError(f"no answer within {AUTO_SECONDS:g} s")
        except ConfigError:
            raise
        except RequestRejected as error:
            silent[endpoint] = rejected = error
        except AgenticError as error:
            silent[endpoint] = error
        else:
            return silent
    if rejected is not None:
        raise rejected
    return silent


def state_folder() -> Path:
    """Where agentic keeps what it learned."""
    from platformdirs import user_state_path

    return user_state_path("agentic")
