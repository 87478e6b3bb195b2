"""Traces for Phoenix: one span per task and role, the LLM calls below them; free when nobody collects them.

    with start_telemetry():
        with span("task", task="math-1"), span("actor", "AGENT", input=question) as current:
            current.set(output=attempt.text)

Nothing of OpenTelemetry is imported before a collector has answered.
"""

import json
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry import trace

    from flex.telemetry.otlp import Collector

Kind = Literal["CHAIN", "AGENT", "LLM", "TOOL", "RETRIEVER", "EVALUATOR"]
"""OpenInference's kinds of span: they decide the icon and the columns in Phoenix."""

PHOENIX = "http://127.0.0.1:6006/v1/traces"
"""Where `phoenix serve` listens by default."""
PROBE_SECONDS = 0.2
"""How long a collector on this machine may take to accept a connection; one elsewhere gets five times that."""
FLUSH_SECONDS = 5.0
"""How long the end of a run waits for the last spans to be delivered."""

_ENVIRONMENT = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "PHOENIX_COLLECTOR_ENDPOINT")
_NAMES = {"input": "input.value", "output": "output.value", "session": "session.id"}
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_log = logging.getLogger(__name__)
_collector: "Collector | None" = None  # one a process, as the patches of the instrumentors are


class Span:
    """What `span` yields; it does nothing while tracing is off."""

    def __init__(self, traced: "trace.Span | None" = None) -> None:
        self._traced = traced

    def set(self, **attributes: Any) -> None:
        """Add attributes: `input` and `output` are shown as such, others as `flex.<name>`."""
        if self._traced is not None:
            self._traced.set_attributes(_known(attributes))


_NO_SPAN = nullcontext(Span())


class Telemetry:
    """A handle on what `start_telemetry` started; leaving it (or `shutdown`) delivers the last spans."""

    def __init__(self, endpoint: str | None = None) -> None:
        self.endpoint = endpoint
        """Where the spans go, None when tracing is off."""

    @property
    def on(self) -> bool:
        return self.endpoint is not None

    def shutdown(self) -> None:
        """Stop tracing, waiting at most `FLUSH_SECONDS` for the last spans; a second call does nothing."""
        global _collector
        if self.endpoint is not None and _collector is not None:
            collector, _collector = _collector, None
            collector.shutdown(FLUSH_SECONDS, reachable=_accepts_connections(self.endpoint))
            self.endpoint = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()


def start_telemetry(enabled: bool = True, project: str = "flex") -> Telemetry:
    """Trace to the collector that the environment names, or to a Phoenix on this machine; off if none answers.

    The environment's names, first that is set: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT,
    PHOENIX_COLLECTOR_ENDPOINT; PHOENIX_API_KEY and PHOENIX_PROJECT_NAME are honoured too.
    """
    global _collector
    if not enabled or _collector is not None or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Telemetry()
    if (endpoint := _answering_endpoint()) is None:
        return Telemetry()
    from flex.telemetry.otlp import Collector

    project = os.environ.get("PHOENIX_PROJECT_NAME") or project
    _collector = Collector(endpoint, project, proxied=not _is_local(endpoint))
    return Telemetry(endpoint)


def span(name: str, kind: Kind = "CHAIN", **attributes: Any) -> AbstractContextManager[Span]:
    """A span around a `with` block; `set` adds attributes to it. Nothing at all while tracing is off."""
    return _NO_SPAN if _collector is None else _traced(_collector, name, kind, attributes)


@contextmanager
def _traced(collector: "Collector", name: str, kind: Kind, attributes: Mapping[str, Any]) -> Iterator[Span]:
    with collector.span(name, {"openinference.span.kind": kind, **_known(attributes)}) as traced:
        yield Span(traced)


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes under the names that Phoenix shows, values that OpenTelemetry takes; None is left out."""
    return {
        _NAMES.get(name, f"flex.{name}"): value
        if isinstance(value, str | int | float | bool)
        else json.dumps(value, default=str)
        for name, value in attributes.items()
        if value is not None
    }


def _answering_endpoint() -> str | None:
    """The URL for traces of the collector that the environment names, or of Phoenix; None if it does not answer."""
    for variable in _ENVIRONMENT:
        if url := os.environ.get(variable):
            if "TRACES" not in variable:
                url = url.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"
            if _accepts_connections(url):
                return url
            _log.warning("tracing is off: the collector that %s names, %s, does not answer", variable, url)
            return None
    return PHOENIX if _accepts_connections(PHOENIX) and _takes_traces(PHOENIX) else None


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in _LOCAL_HOSTS


def _accepts_connections(url: str) -> bool:
    """Whether something listens there, found out within `PROBE_SECONDS` (five times that for another machine)."""
    seconds = PROBE_SECONDS if _is_local(url) else 5 * PROBE_SECONDS
    connected = threading.Event()

    def connect() -> None:
        place = urlsplit(url)
        with suppress(OSError, ValueError):  # nobody there, or not an address: either way there is no collector
            port = place.port or (443 if place.scheme == "https" else 80)
            socket.create_connection((place.hostname or "", port), timeout=seconds).close()
            connected.set()

    threading.Thread(target=connect, daemon=True).start()  # of its own: looking up a name knows no time limit
    return connected.wait(seconds)


def _takes_traces(url: str) -> bool:
    """Whether an empty batch of spans is welcome; TensorBoard, for one, listens on Phoenix's port too."""
    import http.client  # a third of this module's import time, and most often not needed

    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=5 * PROBE_SECONDS)
    try:
        connection.request("POST", place.path, b"", {"Content-Type": "application/x-protobuf"})
        return connection.getresponse().status not in (404, 405, 501)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
