"""The part of telemetry that needs OpenTelemetry: imported when a collector has answered, not before."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import requests  # type: ignore[import-untyped, unused-ignore]
from openinference.instrumentation.openai import OpenAIInstrumentor
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

EXPORT_SECONDS = 5.0
"""How long the delivery of one batch may take, its retries included; it happens in a thread of its own."""
PAUSE_SECONDS = 30.0
"""After a failed delivery spans are dropped for so long, so that a collector that died costs nothing."""
QUEUE = 8192
"""Spans waiting for delivery; more than that are dropped. A batch is 512."""

_log = logging.getLogger(__name__)
_repetitive = logging.getLogger("opentelemetry.exporter")  # says at every batch what we say once


class Collector:
    """Everything between a span and the collector, for one process."""

    def __init__(self, endpoint: str, project: str, *, proxied: bool) -> None:
        resource = Resource.create({"openinference.project.name": project, "service.name": project})
        self._exporter = _PatientExporter(endpoint, proxied=proxied)
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter, max_queue_size=QUEUE))
        self._tracer = self._provider.get_tracer("flex")
        self._level = _repetitive.level
        _repetitive.setLevel(logging.CRITICAL)
        self._instrumentors = (OpenAIInstrumentor(), SmolagentsInstrumentor())
        for instrumentor in self._instrumentors:
            instrumentor.instrument(tracer_provider=self._provider)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Any]) -> Iterator[trace.Span]:
        with self._tracer.start_as_current_span(name, attributes=attributes) as span:
            yield span
            span.set_status(trace.StatusCode.OK)

    def shutdown(self, seconds: float, *, reachable: bool) -> None:
        """Undo the instrumentors' patches and deliver what is left; after `seconds` the rest is given up."""
        for instrumentor in self._instrumentors:
            instrumentor.uninstrument()
        if not reachable:
            self._exporter.pause()
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # ends the wait between its tries
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(seconds)
        _repetitive.setLevel(self._level)


class _PatientExporter(OTLPSpanExporter):
    """Delivers to the collector; when it fails says so once, and pauses before it tries again."""

    def __init__(self, endpoint: str, *, proxied: bool) -> None:
        session = requests.Session()
        session.trust_env = proxied  # no proxy to ourselves
        key = os.environ.get("PHOENIX_API_KEY")
        headers = {"authorization": f"Bearer {key}"} if key else None
        super().__init__(endpoint, timeout=EXPORT_SECONDS, headers=headers, session=session)
        self._url = endpoint
        self._resume_at = 0.0
        self._warned = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if time.monotonic() < self._resume_at:
            return SpanExportResult.FAILURE
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.pause()
        return result

    def pause(self) -> None:
        """Drop spans for a while."""
        self._resume_at = time.monotonic() + PAUSE_SECONDS
        if not self._warned:
            _log.warning("the collector at %s takes no spans; some of this run are lost", self._url)
        self._warned = True
