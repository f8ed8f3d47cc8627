"""A run as spans, metrics and logs, by the `gen_ai.*` conventions. What was said is in none of them."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agentic import ChatRequest
from agentic.events import (
    EndpointSeen,
    Event,
    Failover,
    LlmChunk,
    LlmRequest,
    ReasoningChunk,
    Retrying,
    RunFinished,
    RunStarted,
    SubAgentFinished,
    SubAgentStarted,
    ToolCalled,
    ToolResult,
    UsageReported,
    Warned,
)
from agentic.lib.record import record
from plugins_builtin.otel.export import exports_to

_UNSENT = ("count", "warm-up", "probe")  # purposes of requests that are no part of a task
_FAILED = ("failed", "gave_up", "timeout", "limit")
_propagator = TraceContextTextMapPropagator()


@record(slots=True)
class Asked:
    """A request that waits for its answer; `began` in seconds since the epoch."""

    span: Span
    began: float
    model: str = ""
    first: float = 0.0


class Recorder:
    """Turns events into what goes to the endpoint. `asked` is called on the way of each request, all else comes afterwards."""

    def __init__(self, endpoint: str) -> None:
        exports = exports_to(endpoint)
        self._tracer, self._logger = exports.tracer, exports.logger
        meter = exports.meter
        self._duration = meter.create_histogram("gen_ai.client.operation.duration", "s", "how long a request took")
        self._first = meter.create_histogram("gen_ai.client.time_to_first_token", "s", "until the first token was here")
        self._tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", "tokens of a request")
        self._cached = meter.create_counter("agentic.prompt.cached_tokens", "{token}", "prompt tokens that were in the cache")
        self._waiting = meter.create_gauge("agentic.endpoint.waiting", "{request}", "requests that wait in a server's queue")
        self._running = meter.create_gauge("agentic.endpoint.running", "{request}", "requests that a server works on")
        self._run: Span | None = None
        self._model = ""
        self._agents: dict[str, Span] = {}
        self._asked: dict[str, list[Asked]] = {}
        self._tools: dict[tuple[str, str], Span] = {}

    def start_request(self, request: ChatRequest) -> ChatRequest | None:
        """The request with the trace that it is part of; None where it is part of none."""
        if request.purpose in _UNSENT:
            return None
        agent = _agent_of(request)
        attributes = {"gen_ai.operation.name": "chat", "agentic.purpose": request.purpose}
        span = self._span("chat", agent, attributes, SpanKind.CLIENT)
        if request.session:
            span.set_attribute("gen_ai.conversation.id", request.session)
        self._asked.setdefault(agent, []).append(Asked(span, time.time(), request.model))
        headers: dict[str, str] = {}
        _propagator.inject(headers, set_span_in_context(span))
        return replace(request, headers={**request.headers, **headers})

    def seen(self, event: Event) -> None:
        """An event, in their order."""
        match event:
            case RunStarted():
                self._begin(event)
            case SubAgentStarted():
                self._parent(event.agent).set_attribute("agentic.title", event.title)
            case SubAgentFinished():
                self._end(self._agents.pop(event.agent, None), event.time, event.status)
            case ToolCalled():
                attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": event.name}
                attributes["gen_ai.tool.call.id"] = event.id
                span = self._span(f"execute_tool {event.name}", event.agent, attributes, began=event.time)
                self._tools[event.agent, event.id] = span
            case ToolResult():
                self._tool_done(event)
            case LlmRequest():
                if asked := self._current(event.agent):
                    asked.model = asked.model or self._model
                    _describe(asked, event.endpoint)
            case LlmChunk() | ReasoningChunk():
                self._token(event)
            case UsageReported():
                self._answered(event)
            case Failover() | Retrying():
                if asked := self._current(event.agent):
                    asked.span.add_event(event.type, {"why": event.why}, _nanoseconds(event.time))
            case EndpointSeen():
                where = {"server.address": event.endpoint}
                self._waiting.set(event.waiting, where)
                self._running.set(event.running, where)
            case Warned():
                self._log(event.message, event.time)
            case RunFinished():
                self._finish(event)

    def _begin(self, event: RunStarted) -> None:
        self._model = event.model
        if event.task:
            values = {
                "gen_ai.request.model": event.model,
                "gen_ai.conversation.id": event.session,
                "agentic.command": event.command,
            }
            self._parent("main", event.time).set_attributes(values)

    def _finish(self, event: RunFinished) -> None:
        asked = (asked.span for several in self._asked.values() for asked in several)
        for span in (*asked, *self._tools.values(), *self._agents.values()):
            self._end(span, event.time, event.status)
        self._end(self._run, event.time, event.status)
        self._asked, self._tools, self._agents, self._run = {}, {}, {}, None

    def _parent(self, agent: str, began: float = 0.0) -> Span:
        """The run's span, or a sub-agent's; a request may come before the event that begins it is seen."""
        if agent == "main":
            self._run = self._run or self._start("invoke_agent agentic", None, _invoked("agentic"), began=began)
            return self._run
        if agent not in self._agents:
            self._agents[agent] = self._start(f"invoke_agent {agent}", self._parent("main"), _invoked(agent), began=began)
        return self._agents[agent]

    def _span(
        self, name: str, agent: str, attributes: Mapping[str, Any], kind: SpanKind = SpanKind.INTERNAL, began: float = 0.0
    ) -> Span:
        return self._start(name, self._parent(agent), attributes, kind, began)

    def _start(
        self, name: str, parent: Span | None, attributes: Mapping[str, Any], kind: SpanKind = SpanKind.INTERNAL, began: float = 0.0
    ) -> Span:
        context = set_span_in_context(parent) if parent is not None else None
        start = _nanoseconds(began) if began else None
        return self._tracer.start_span(name, context, kind, dict(attributes), start_time=start)

    def _end(self, span: Span | None, now: float, status: str) -> None:
        if span is None:
            return
        span.set_attribute("agentic.status", status)
        if status in _FAILED:
            span.set_attribute("error.type", status)
            span.set_status(Status(StatusCode.ERROR, status))
        span.end(_nanoseconds(now))

    def _tool_done(self, event: ToolResult) -> None:
        span = self._tools.pop((event.agent, event.id), None)
        if span is not None and event.exit_code is not None:
            span.set_attribute("agentic.exit_code", event.exit_code)
        self._end(span, event.time, "failed" if event.failed else "done")

    def _current(self, agent: str) -> Asked | None:
        waiting = self._asked.get(agent)
        return waiting[0] if waiting else None

    def _token(self, event: Event) -> None:
        asked = self._current(event.agent)
        if asked is not None and not asked.first:
            asked.first = event.time
            asked.span.add_event("first_token", timestamp=_nanoseconds(event.time))

    def _answered(self, event: UsageReported) -> None:
        waiting = self._asked.get(event.agent)
        if not waiting:
            return
        asked = waiting.pop(0)
        span, model = asked.span, {"gen_ai.operation.name": "chat", "gen_ai.request.model": asked.model}
        span.set_attribute("gen_ai.usage.input_tokens", event.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", event.completion_tokens)
        self._tokens.record(event.prompt_tokens, {**model, "gen_ai.token.type": "input"})
        self._tokens.record(event.completion_tokens, {**model, "gen_ai.token.type": "output"})
        if event.cached_tokens is not None:
            span.set_attribute("gen_ai.usage.cache_read.input_tokens", event.cached_tokens)
            self._cached.add(event.cached_tokens, model)
        if asked.first:
            self._first.record(max(0.0, asked.first - asked.began), model)
        self._duration.record(max(0.0, event.time - asked.began), model)
        span.end(_nanoseconds(event.time))

    def _log(self, message: str, now: float) -> None:
        context = set_span_in_context(self._run) if self._run is not None else None
        record = LogRecord(
            timestamp=_nanoseconds(now), context=context, severity_number=SeverityNumber.WARN, severity_text="WARN", body=message
        )
        self._logger.emit(record)


def _agent_of(request: ChatRequest) -> str:
    """Whose request it is: a session's name ends with the agent's."""
    _, found, name = request.session.rpartition("-sub-")
    return f"sub-{name}" if found else "main"


def _invoked(agent: str) -> dict[str, str]:
    return {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}


def _describe(asked: Asked, endpoint: str) -> None:
    span = asked.span
    span.update_name(f"chat {asked.model}".strip())
    span.set_attribute("gen_ai.request.model", asked.model)
    try:
        parts = urlsplit(endpoint)
        if parts.hostname:
            span.set_attribute("server.address", parts.hostname)
        if parts.port:
            span.set_attribute("server.port", parts.port)
    except ValueError:
        return


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
