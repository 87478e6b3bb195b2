"""Traces for Phoenix: one span per task and role, the LLM calls below them; free when nobody collects them.

    with start_telemetry():
        with span("task", task="math-1"), span("actor", "AGENT", input=question) as current:
            current.set(output=attempt.text)

Nothing of OpenTelemetry is imported before a collector has answered.
"""

import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from flex.telemetry.otlp import Collector

Kind = Literal["CHAIN", "AGENT", "LLM", "TOOL", "RETRIEVER", "EVALUATOR"]
"""OpenInference's kinds of span: they decide the icon and the columns in Phoenix."""

PHOENIX = "http://127.0.0.1:6006/v1/traces"
"""Where `phoenix serve` listens by default."""
PROBE_SECONDS = 0.2
"""How long a collector on this machine may take to accept a connection; one elsewhere gets five times that."""
FLUSH_SECONDS = 5.0
"""How long the end of a run waits for the last spans to be delivered."""

_log = logging.getLogger(__name__)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Span(Protocol):
    """What `span` yields."""

    def set(self, **attributes: Any) -> None:
        """Add attributes: `input` and `output` are shown as such, others as `flex.<name>`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: Any) -> None: ...


class _NoSpan:
    def set(self, **attributes: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: Any) -> None:
        pass


_NO_SPAN = _NoSpan()
_collector: "Collector | None" = None  # one a process, as the patches of the instrumentors are


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
            collector.shutdown(FLUSH_SECONDS, reachable=_accepts_connections(urlsplit(self.endpoint)))
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
    endpoint = collector_endpoint()
    if endpoint is None:
        return Telemetry()
    from flex.telemetry.otlp import Collector

    own_machine = urlsplit(endpoint).hostname in LOCAL_HOSTS
    _collector = Collector(endpoint, os.environ.get("PHOENIX_PROJECT_NAME") or project, proxied=not own_machine)
    return Telemetry(endpoint)


def span(name: str, kind: Kind = "CHAIN", **attributes: Any) -> Span:
    """A span around a `with` block; `set` adds attributes to it. Nothing at all while tracing is off."""
    if _collector is None:
        return _NO_SPAN
    return _collector.span(name, kind, attributes)


def collector_endpoint() -> str | None:
    """The URL of a collector that answers, None if there is none."""
    named = _named_endpoint()
    if named is None:
        return PHOENIX if _accepts_connections(urlsplit(PHOENIX)) and _takes_traces(urlsplit(PHOENIX)) else None
    variable, endpoint = named
    if not _accepts_connections(urlsplit(endpoint)):
        _log.warning("tracing is off: the collector that %s names, %s, does not answer", variable, endpoint)
        return None
    return endpoint


def _named_endpoint() -> tuple[str, str] | None:
    """(variable, URL for traces) of the collector that the environment names."""
    if url := os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "PHOENIX_COLLECTOR_ENDPOINT"):
        if url := os.environ.get(variable):
            return variable, url.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"
    return None


def _accepts_connections(url: SplitResult) -> bool:
    """Whether something listens there, found out within `PROBE_SECONDS` (five times that for another machine)."""
    if url.hostname in LOCAL_HOSTS:
        return _connects(url, PROBE_SECONDS)
    answers: list[bool] = []  # asked in a thread of its own, since looking up a name knows no time limit
    asking = threading.Thread(target=lambda: answers.append(_connects(url, 5 * PROBE_SECONDS)), daemon=True)
    asking.start()
    asking.join(5 * PROBE_SECONDS)
    return any(answers)


def _connects(url: SplitResult, seconds: float) -> bool:
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        with socket.create_connection((url.hostname or "", port), timeout=seconds):
            return True
    except (OSError, ValueError):  # nobody there, or not an address: either way there is no collector
        return False


def _takes_traces(url: SplitResult) -> bool:
    """Whether an empty batch of spans is welcome; TensorBoard, for one, listens on Phoenix's port too."""
    import http.client  # a third of this module's import time, and most often not needed

    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=5 * PROBE_SECONDS)
    try:
        connection.request("POST", url.path, b"", {"Content-Type": "application/x-protobuf"})
        return connection.getresponse().status not in (404, 405, 501)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
