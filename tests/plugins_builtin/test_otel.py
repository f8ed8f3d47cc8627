"""A run as OpenTelemetry has it, at a collector of our own that reads what comes by the protocol's definitions."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic

NATIVE = ("-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")


@dataclass
class Collector:
    url: str = ""
    spans: list[Any] = field(default_factory=list)
    metrics: set[str] = field(default_factory=set)
    logs: list[str] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            self.spans += [span for resource in traces.resource_spans for scope in resource.scope_spans for span in scope.spans]
        elif path == "/v1/metrics":
            metrics = ExportMetricsServiceRequest.FromString(body)
            self.metrics |= {
                m.name for resource in metrics.resource_metrics for scope in resource.scope_metrics for m in scope.metrics
            }
        elif path == "/v1/logs":
            logs = ExportLogsServiceRequest.FromString(body)
            self.logs += [
                r.body.string_value for resource in logs.resource_logs for scope in resource.scope_logs for r in scope.log_records
            ]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name.startswith(name)]


def values(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *given: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_trace_from_the_run_to_the_server(agentic: Agentic, server: FakeVLLM, collector: Collector) -> None:
    task = {"title": "look at it"}
    server.script(
        answer("let me see", tool_calls=tool_call("run", {"command": "exit 3"}, 0, "1")),
        answer(tool_calls=tool_call("delegate", {"tasks": [task]}, 0, "2")),
        answer("looked"),
        answer("the secret word"),
    )
    agentic("run", "do it", "--endpoint", server.url, *NATIVE, "-c", f"plugin.otel.endpoint={collector.url}")
    (run,) = collector.named("invoke_agent agentic")
    (sub,) = collector.named("invoke_agent sub-")
    chats, tools = collector.named("chat "), collector.named("execute_tool")
    assert {span.trace_id for span in collector.spans} == {run.trace_id}
    assert [span.parent_span_id for span in chats] == [run.span_id, run.span_id, sub.span_id, run.span_id]
    assert sub.parent_span_id == run.span_id and [values(span)["gen_ai.tool.name"] for span in tools] == ["run", "delegate"]
    assert values(tools[0])["agentic.exit_code"] == 3 and tools[0].status.code == 2
    first = values(chats[0])
    assert (
        first["gen_ai.operation.name"] == "chat"
        and first["gen_ai.request.model"] == "fake"
        and first["server.address"] == "127.0.0.1"
    )
    assert [event.name for event in chats[0].events] == ["first_token"]
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano > 0 for span in collector.spans)
    sent = [chat.headers["traceparent"].rpartition("-")[0] for chat in server.chats]
    assert sent == [f"00-{run.trace_id.hex()}-{span.span_id.hex()}" for span in chats]
    assert {
        "gen_ai.client.operation.duration",
        "gen_ai.client.time_to_first_token",
        "gen_ai.client.token.usage",
    } <= collector.metrics
    assert "secret word" not in str(collector.spans) + str(collector.logs)


def test_warnings_are_logs(agentic: Agentic, server: FakeVLLM, collector: Collector) -> None:
    server.script(answer("ok"))
    agentic(
        "run",
        "x",
        "--endpoint",
        server.url,
        *NATIVE,
        "-c",
        "plugin.after_edit.format=auto",
        more={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "PATH": "/usr/bin:/bin"},
    )
    assert collector.named("invoke_agent agentic") and all(isinstance(each, str) for each in collector.logs)


def test_without_an_endpoint_nothing_is_sent_and_nothing_imported(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer("ok"))
    agentic("run", "x", "--endpoint", server.url, *NATIVE)
    assert "traceparent" not in server.chats[0].headers


def test_a_collector_that_is_gone_holds_nothing_up(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer("ok"))
    done = agentic("run", "x", "--endpoint", server.url, *NATIVE, "-c", "plugin.otel.endpoint=http://127.0.0.1:1", seconds=40)
    assert done.code == 0 and done.out == "ok\n" and "127.0.0.1:1" not in done.err.replace(server.url, "")


def test_a_project_cannot_say_where_it_goes(agentic: Agentic, server: FakeVLLM, collector: Collector, work: Any) -> None:
    (work / "agentic.toml").write_text(f'[plugin.otel]\nendpoint = "{collector.url}"\n')
    server.script(answer("ok"))
    agentic("run", "x", "--endpoint", server.url, *NATIVE)
    assert collector.spans == [] and "traceparent" not in server.chats[0].headers
