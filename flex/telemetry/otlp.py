"""The part of telemetry that needs OpenTelemetry: imported when a collector has answered, not before."""

import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import requests  # type: ignore[import-untyped, unused-ignore]
from openinference.instrumentation.openai import OpenAIInstrumentor
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status, StatusCode, Tracer

EXPORT_SECONDS = 5.0
"""How long the delivery of one batch may take, its retries included; it happens in a thread of its own."""
PAUSE_SECONDS = 30.0
"""After a failed delivery spans are dropped for so long, so that a collector that died costs nothing."""
QUEUE = 8192
"""Spans waiting for delivery; more than that are dropped. A batch is 512."""

_log = logging.getLogger(__name__)
_NAMES = {"input": "input.value", "output": "output.value", "session": "session.id"}


class Collector:
    """Everything between a span and the collector, for one process."""

    def __init__(self, endpoint: str, project: str, *, proxied: bool) -> None:
        resource = Resource.create({"openinference.project.name": project, "service.name": project})
        self._exporter = _PatientExporter(endpoint, proxied=proxied)
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter, max_queue_size=QUEUE))
        self._tracer = self._provider.get_tracer("flex")
        self._instrumentors = (OpenAIInstrumentor(), SmolagentsInstrumentor())
        for instrumentor in self._instrumentors:
            instrumentor.instrument(tracer_provider=self._provider)

    def span(self, name: str, kind: str, attributes: Mapping[str, Any]) -> "_Span":
        return _Span(self._tracer, name, {"openinference.span.kind": kind, **_known(attributes)})

    def shutdown(self, seconds: float, *, reachable: bool) -> None:
        """Undo the instrumentors' patches and deliver what is left; after `seconds` the rest is given up."""
        for instrumentor in self._instrumentors:
            instrumentor.uninstrument()
        if not reachable:
            self._exporter.pause()
            self._exporter.shutdown()  # ends the wait between its tries
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(seconds)
        self._exporter.restore_logging()


class _Span:
    def __init__(self, tracer: Tracer, name: str, attributes: Mapping[str, Any]) -> None:
        self._entered = tracer.start_as_current_span(name, attributes=attributes)

    def set(self, **attributes: Any) -> None:
        self._span.set_attributes(_known(attributes))

    def __enter__(self) -> Self:
        self._span = self._entered.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        if exception[0] is None:
            self._span.set_status(Status(StatusCode.OK))
        self._entered.__exit__(*exception)


class _PatientExporter(SpanExporter):
    """Delivers to the collector; when it fails says so once, and pauses before it tries again."""

    def __init__(self, endpoint: str, *, proxied: bool) -> None:
        self._endpoint = endpoint
        self._resume_at = 0.0
        self._warned = False
        self._silenced = logging.getLogger("opentelemetry.exporter")  # it repeats itself at every batch
        self._level = self._silenced.level
        self._silenced.setLevel(logging.CRITICAL)
        session = requests.Session()
        session.trust_env = proxied  # no proxy to ourselves
        key = os.environ.get("PHOENIX_API_KEY")
        headers = {"authorization": f"Bearer {key}"} if key else None
        self._otlp = OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS, headers=headers, session=session)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if time.monotonic() < self._resume_at:
            return SpanExportResult.FAILURE
        result = self._otlp.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.pause()
        return result

    def pause(self) -> None:
        """Drop spans for a while."""
        self._resume_at = time.monotonic() + PAUSE_SECONDS
        if not self._warned:
            _log.warning("the collector at %s takes no spans; some of this run are lost", self._endpoint)
        self._warned = True

    def shutdown(self) -> None:
        self._otlp.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True

    def restore_logging(self) -> None:
        self._silenced.setLevel(self._level)


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes under the names that Phoenix shows, values that OpenTelemetry takes; None is left out."""
    return {
        _NAMES.get(name, f"flex.{name}"): value
        if isinstance(value, str | int | float | bool)
        else json.dumps(value, default=str)
        for name, value in attributes.items()
        if value is not None
    }
