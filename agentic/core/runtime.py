"""From settings to the selected objects: transport, batcher, screen, tools. Providers are selected by configured name."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from agentic.config import Settings
from agentic.core.budget import Budget
from agentic.core.endpoints import Endpoints
from agentic.core.service import LlmService
from agentic.core.tokens import TokenCounter
from agentic.errors import AgenticError, ConfigError
from agentic.events import Event
from agentic.extras import DISTRIBUTION
from agentic.hooks import Setup
from agentic.hooks.batching import Batcher, BatcherSetup, Closes
from agentic.hooks.screen import Renderer, RendererSetup
from agentic.hooks.transport import Found, Transport, TransportChoice, TransportProvider
from agentic.lib.guard import FAULTS
from agentic.lib.isolation import CallFailure, call_limited, describe
from agentic.lib.palette import PLAIN, Palette
from agentic.lib.record import record
from agentic.lib.threads import on_daemon_thread
from agentic.plugins import Host
from agentic.plugins.dispatcher import Dispatcher
from agentic.plugins.host import MakeSetup, Selected
from agentic.plugins.own_hooks import OwnHooks
from agentic.plugins.prompts import Prompts
from agentic.types import EndpointInfo

TRANSPORTS = "agentic_transports"
PATIENT_SECONDS, AGAIN_SECONDS = 10.0, 5.0  # until it is told that the first answer takes its time, and told again
_log = logging.getLogger("agentic.run")


def _no_provider(name: str) -> Any:
    raise ConfigError(f"there is no provider {name!r} here: this hook offers none")


@record(frozen=True, slots=True)
class Runtime:
    """The parts that a command works with while it runs; `setup(plugin)` is what the plugin's code gets."""

    settings: Settings
    host: Host
    root: Path
    events: Dispatcher
    transport: Transport
    batcher: Batcher
    info: EndpointInfo
    llm: LlmService
    prompts: Prompts
    choice: str
    run: str
    endpoints: Endpoints
    setup: Callable[..., Any]

    def build(self, hook: str, name: str) -> Any:
        """The object that `name`, or the hook's default, makes."""
        return self.host.build(hook, name, self.setup)

    def every(self, hook: str) -> dict[str, Any]:
        """Returns the objects of all a hook's providers, in the order of their names; one that cannot be made costs a warning."""
        return _every(self.host, self.events, hook, self.setup)


def bare_setup(settings: Settings, host: Host, root: Path) -> Callable[..., Any]:
    """Returns the maker of the Setup that a plugin's factory gets outside a run, where nothing is shown."""

    async def nowhere(event: Event) -> None:
        """Nobody listens."""

    return partial(_setup, settings, host, root, nowhere, str)


def _every(host: Host, events: Dispatcher, hook: str, setup: Callable[..., Any]) -> dict[str, Any]:
    made = {}
    for name in sorted(host.offers(hook)):
        try:
            made[name] = host.build(hook, name, setup)
        except AgenticError as error:
            events.complain(error)
    return made


def _tokens_for(host: Host, model: str) -> tuple[Callable[[str], int] | None, str]:
    """(how the first vocabulary that knows the model counts, why one that could know it does not)"""
    for offer in host.offers("agentic_vocabularies").values():
        try:
            counts = call_limited(partial(offer.record.tokens_for, model))
        except AgenticError as error:
            return None, str(error)
        except (CallFailure, *FAULTS) as error:
            return None, f"{host.owner(offer.plugin)}: {describe(error)}"
        if counts is not None:
            return counts, ""
    return None, ""


def _setup(
    settings: Settings,
    host: Host,
    root: Path,
    emit: Callable[[Event], Awaitable[None]],
    prompts: Callable[..., str],
    plugin: str,
    provider: Callable[[str], Any] = _no_provider,
    kind: type[Setup] = Setup,
    run: str = "",
    **more: Any,
) -> Any:
    own = OwnHooks(host, plugin, partial(_setup, settings, host, root, emit, prompts, run=run))
    more |= {"section": host.section_of(plugin), "hooks": own, "run": run}
    return kind(settings=settings, root=root, emit=emit, provider=provider, prompt=prompts, **more)


@record(frozen=True, slots=True)
class Screen:
    """A renderer by name, where it writes, in which colours; "" is none. `own` is one of the caller's, in place of it.

    `confirm` puts a yes-or-no question to the user.
    """

    renderer: str = ""
    stdout: TextIO | None = None
    confirm: Callable[[str], bool] = lambda question: False
    palette: Palette = PLAIN
    own: Renderer | None = None


@asynccontextmanager
async def open_runtime(
    settings: Settings, host: Host, root: Path, screen: Screen, sink: Callable[[Event], Awaitable[None]] | None = None
) -> AsyncIterator[Runtime]:
    """Builds what the settings select and closes it afterwards. `sink` gets every event after the renderer.

    Raises AgenticError, EndpointUnavailable when none answers.
    """
    if any(status.distribution != DISTRIBUTION for status in host.statuses):  # ours are tested
        host.report = None
        host.inspect()
    endpoints = Endpoints(settings)
    settings = endpoints.settings
    run = os.urandom(4).hex()
    holder: list[Dispatcher] = []

    async def emit(event: Event) -> None:
        await holder[0].emit(event)

    prompts = Prompts(host, settings.prompts.texts)
    make_setup = partial(_setup, settings, host, root, emit, prompts, run=run)
    renderer_setup = partial(make_setup, kind=RendererSetup, stdout=screen.stdout, palette=screen.palette)
    renderer: Renderer = screen.own or host.build("agentic_renderers", screen.renderer, renderer_setup)
    events = Dispatcher(host, renderer, run, make_setup, settings.plugins.may_grant, sink)
    holder.append(events)
    transport: Transport | None = None
    batcher: Batcher | None = None
    try:
        for line in (*settings.ignored, *host.notices()):
            events.warn(line)
        make_setup = partial(_setup, await endpoints.look(), host, root, emit, prompts, run=run)
        selected = await _selected_transport(settings.llm.transport, host, make_setup, screen)
        transport = selected.made
        batcher = host.build(
            "agentic_batchers", settings.batching.strategy, partial(make_setup, kind=BatcherSetup, transport=transport)
        )
        endpoints.follow(transport, batcher)
        info = await _first_contact(batcher, events)
        _log.info("run %s: %s at %s, window %d", run, info.model, info.url, info.window)
        budget = Budget(settings.context.context_window or info.window, settings.context.reserved_for_response)
        counter = TokenCounter(transport, *_tokens_for(host, info.model))
        repairs = list(_every(host, events, "agentic_output_repairs", make_setup).values())
        llm = LlmService(settings, batcher, events, (budget, counter), repairs, prompts("picture"))
        llm.info, llm.families = info, [offer.record for offer in host.offers("agentic_families").values()]
        yield Runtime(
            settings, host, root, events, transport, batcher, info, llm, prompts, selected.why, run, endpoints, make_setup
        )
    finally:
        await endpoints.aclose()
        await events.aclose()
        renderer.close()
        if isinstance(batcher, Closes):
            await batcher.aclose()
        if transport is not None:
            await transport.aclose()


async def _first_contact(batcher: Batcher, events: Dispatcher) -> EndpointInfo:
    """Returns the EndpointInfo of the endpoint in use. Waits for one that takes its time, and warns of the wait."""
    asking = asyncio.ensure_future(batcher.info())
    waited = 0.0
    try:
        while not (await asyncio.wait({asking}, timeout=AGAIN_SECONDS if waited else PATIENT_SECONDS))[0]:
            waited += AGAIN_SECONDS if waited else PATIENT_SECONDS
            events.warn(f"no answer yet, after {waited:g} s; Ctrl-C ends the wait")
        return asking.result()
    finally:
        asking.cancel()


async def _selected_transport(name: str, host: Host, make_setup: MakeSetup, screen: Screen) -> Selected:
    async def confirm(question: str) -> bool:
        answer: bool = await on_daemon_thread(partial(screen.confirm, question))
        return answer

    selected = await host.select(TRANSPORTS, name, make_setup, kind=TransportChoice, confirm=confirm)
    made = host.build(TRANSPORTS, selected.name, make_setup) if selected.made is None else selected.made
    return replace(selected, made=made)


async def find_servers(settings: Settings, host: Host) -> list[Found]:
    """Returns the servers that the transports find on this machine; a transport that fails finds nothing."""
    found: list[Found] = []
    for offer in host.offers(TRANSPORTS).values():
        if isinstance(offer.record, TransportProvider) and offer.record.find is not None:
            try:
                found += await offer.record.find(settings)
            except FAULTS:
                continue
    return found
