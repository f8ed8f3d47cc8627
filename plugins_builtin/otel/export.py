"""The providers of a process: one for each endpoint, which send in the background and when the process ends."""

import functools
import logging

from opentelemetry._logs import Logger
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer

from agentic import __version__
from agentic.lib.record import record

SECONDS = 2.0  # that a collector which does not answer may hold the end of a process up
_NAME = "agentic"


@record(frozen=True, slots=True)
class Exports:
    tracer: Tracer
    meter: Meter
    logger: Logger


@functools.cache
def exports_to(endpoint: str) -> Exports:
    """Returns the tracer, meter and logger that send to `endpoint`."""
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())  # a collector that is away is nobody's concern here
    logging.getLogger("opentelemetry").propagate = False
    base = endpoint.rstrip("/")
    resource = Resource.create({"service.name": _NAME, "service.version": __version__})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces", timeout=SECONDS)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{base}/v1/metrics", timeout=SECONDS))
    metrics = MeterProvider(metric_readers=[reader], resource=resource)
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{base}/v1/logs", timeout=SECONDS)))
    return Exports(
        traces.get_tracer(_NAME, __version__), metrics.get_meter(_NAME, __version__), logs.get_logger(_NAME, __version__)
    )
