"""Traces, metrics and logs by OpenTelemetry: nothing leaves the machine unless the user names an endpoint.

A request carries `traceparent`, so that a trace goes on in vLLM (`--otlp-traces-endpoint`) down to its queue.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from agentic import ChatRequest, Options, PluginInfo, Section, Setup, hookimpl, setting
from agentic.events import Event
from agentic.lib.threads import on_daemon_thread

VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
_recorders: "WeakKeyDictionary[Callable[..., Any], asyncio.Future[Any]]" = WeakKeyDictionary()
"""Of each run in this process, by what shows its events."""


class OtelOptions(Section):
    """`[plugin.otel]`"""

    endpoint: str = setting("", f"where traces go, over OTLP/HTTP, such as http://localhost:4318; else {VARIABLE}", scope="user")


def endpoint_of(setup: Setup) -> str:
    """Returns the endpoint that it all goes to, "" for none."""
    return str(setup.options.endpoint) or os.environ.get(VARIABLE, "")


def _wants_chunks(setup: Setup) -> bool:
    """Only they tell when the first token came."""
    return bool(endpoint_of(setup))


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(Options(OtelOptions), wants_chunks=_wants_chunks)


async def _recorder(setup: Setup) -> Any:
    """The run's, None where nothing is to be told. The SDK is imported in a thread."""
    if not (endpoint := endpoint_of(setup)):
        return None
    if setup.emit not in _recorders:
        _recorders[setup.emit] = asyncio.ensure_future(on_daemon_thread(lambda: _make_recorder(endpoint)))
    return await asyncio.shield(_recorders[setup.emit])


def _make_recorder(endpoint: str) -> Any:
    from agentic import ConfigError
    from agentic.extras import pip_install

    try:
        from plugins_builtin.otel.recorder import Recorder
    except ImportError as error:
        raise ConfigError("OpenTelemetry is not installed", pip_install("otel")) from error
    return Recorder(endpoint)


@hookimpl
async def agentic_before_request(request: ChatRequest, setup: Setup) -> ChatRequest | None:
    try:
        recorder = await _recorder(setup)
    except Exception:  # the observer tells: no request waits for it
        return None
    return recorder.start_request(request) if recorder is not None else None


@hookimpl
async def agentic_on_event(event: Event, setup: Setup) -> None:
    if (recorder := await _recorder(setup)) is not None:
        recorder.seen(event)
