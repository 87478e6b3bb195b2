"""Spans nest under task and role, across threads too; without a collector nothing is imported and nothing waits."""

import asyncio
import logging
import subprocess
import sys
import threading
import time
import timeit
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flex import telemetry
from flex.concurrency import with_current_context
from flex.telemetry import span, start_telemetry

ENDPOINT_NAMES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "PHOENIX_COLLECTOR_ENDPOINT")
NOBODY = "http://127.0.0.1:9"


class StubCollector(ThreadingHTTPServer):
    """Takes spans on /v1/traces, as Phoenix does."""

    daemon_threads = True

    def __init__(self):
        self.bodies, self.answering = [], threading.Event()
        self.answering.set()
        super().__init__(("127.0.0.1", 0), StubHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()

    def spans(self):
        """Spans by name, and their resource attributes as `resource`."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        found = {}
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
                found |= {one.name: one for scope in resource.scope_spans for one in scope.spans}
        return found


class StubHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.answering.wait(600)
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    server = StubCollector()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def no_collector_in_the_environment(monkeypatch):
    for name in (*ENDPOINT_NAMES, "PHOENIX_API_KEY", "PHOENIX_PROJECT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(telemetry, "PHOENIX", NOBODY + "/v1/traces")


def attributes(one):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes}


def model_client(reply):
    import httpx2
    import openai

    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=reply))
    return openai.AsyncOpenAI(
        api_key="k", base_url="http://model.test/v1", http_client=httpx2.AsyncClient(transport=transport)
    )


REPLY = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "42"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


async def ask(client):
    return await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "6 x 7?"}])


def test_without_a_collector_nothing_of_opentelemetry_is_imported():
    program = (
        "import sys, flex.telemetry as t; t.PHOENIX = 'http://127.0.0.1:9/v1/traces'\n"
        "with t.start_telemetry() as on, t.span('task', input='x') as s: s.set(output=1)\n"
        "assert not on.on\n"
        "sys.exit(any(name.split('.')[0] in ('opentelemetry', 'openai', 'smolagents') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_a_span_that_nobody_collects_costs_less_than_five_microseconds():
    def spans():
        with span("role", "AGENT", input="x") as current:
            current.set(output="y")

    assert min(timeit.repeat(spans, time.thread_time, repeat=5, number=2000)) / 2000 < 5e-6


def test_tracing_that_is_not_wanted_stays_off(collector, monkeypatch):
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.url)
    assert not start_telemetry(enabled=False).on
    assert collector.bodies == []


def test_a_dead_collector_is_said_once_and_costs_nothing(monkeypatch, caplog):
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", NOBODY)
    connect, patience = telemetry.socket.create_connection, []
    monkeypatch.setattr(
        telemetry.socket,
        "create_connection",
        lambda *address, timeout: patience.append(timeout) or connect(*address, timeout=timeout),
    )
    assert not start_telemetry().on
    assert patience == [telemetry.PROBE_SECONDS]
    assert "PHOENIX_COLLECTOR_ENDPOINT names, http://127.0.0.1:9/v1/traces, does not answer" in caplog.text


def test_a_name_that_takes_long_to_look_up_is_not_waited_for(monkeypatch):
    looked_up = threading.Event()
    monkeypatch.setattr(telemetry, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(telemetry.socket, "getaddrinfo", lambda *_, **__: looked_up.wait(60) and [])
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", "http://collector.test:6006")
    assert not start_telemetry().on
    assert not looked_up.is_set()
    looked_up.set()


@pytest.mark.parametrize("url", ["http://127.0.0.1:notaport", "nonsense", "http://"])
def test_an_address_that_is_none_is_a_collector_that_does_not_answer(monkeypatch, url, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)
    assert not start_telemetry().on
    assert "does not answer" in caplog.text


@pytest.mark.parametrize(
    ("name", "path"), [(ENDPOINT_NAMES[0], "/v1/traces"), (ENDPOINT_NAMES[1], "/"), (ENDPOINT_NAMES[2], "")]
)
def test_the_environment_names_the_collector(collector, monkeypatch, name, path):
    monkeypatch.setenv(name, collector.url + path)
    with start_telemetry() as started:
        assert started.endpoint == collector.url + "/v1/traces"
        with span("task"):
            pass
    assert list(collector.spans()) == ["task"]


def test_a_phoenix_at_its_usual_address_is_found(collector, monkeypatch):
    monkeypatch.setattr(telemetry, "PHOENIX", collector.url + "/v1/traces")
    with start_telemetry(project="mine") as started, span("task"):
        assert started.on
    assert "task" in collector.spans()
    assert collector.resource["openinference.project.name"] == "mine"


def test_another_program_on_the_usual_port_is_left_alone(collector, monkeypatch):
    monkeypatch.setattr(telemetry, "PHOENIX", collector.url + "/not/a/collector")
    assert not start_telemetry().on


def test_model_calls_nest_under_role_and_task_across_the_agents_thread(collector, monkeypatch):
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.url)

    async def run():
        client, loop = model_client(REPLY), asyncio.get_running_loop()

        def agent(name):
            with span(f"agent {name}", "AGENT"):
                return asyncio.run_coroutine_threadsafe(ask(client), loop).result()

        async def solve(name, pool):
            with span(f"task {name}", task=name), span(f"actor {name}", "AGENT", input="6 x 7?") as current:
                await loop.run_in_executor(pool, with_current_context(agent), name)
                current.set(output="42", usage={"calls": 1}, nothing=None)

        with ThreadPoolExecutor(2) as pool:
            await asyncio.gather(*(solve(name, pool) for name in "abc"))
        await client.close()

    with start_telemetry():
        asyncio.run(run())
    spans = collector.spans()
    parents = {one.name: one.parent_span_id for one in spans.values()}
    for name in "abc":
        assert parents[f"task {name}"] == b""
        assert parents[f"actor {name}"] == spans[f"task {name}"].span_id
        assert parents[f"agent {name}"] == spans[f"actor {name}"].span_id
    assert parents["ChatCompletion"] in {spans[f"agent {name}"].span_id for name in "abc"}
    assert attributes(spans["actor a"]) == {
        "openinference.span.kind": "AGENT",
        "input.value": "6 x 7?",
        "output.value": "42",
        "flex.usage": '{"calls": 1}',
    }
    assert attributes(spans["ChatCompletion"])["llm.token_count.total"] == 4


def test_an_agents_own_steps_nest_under_its_role(collector, monkeypatch):
    from smolagents import ChatMessage, CodeAgent, MessageRole, Model

    class Scripted(Model):
        def generate(self, messages, **_):
            return ChatMessage(role=MessageRole.ASSISTANT, content="<code>\nfinal_answer(42)\n</code>")

    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.url)
    with start_telemetry(), ThreadPoolExecutor(1) as pool, span("actor", "AGENT"):
        agent = CodeAgent(tools=[], model=Scripted(), verbosity_level=0)
        assert pool.submit(with_current_context(agent.run), "6 x 7?").result() == 42
    spans = collector.spans()
    assert spans["CodeAgent.run"].parent_span_id == spans["actor"].span_id
    assert spans["Step 1"].parent_span_id == spans["CodeAgent.run"].span_id


@pytest.mark.parametrize(
    "flaw", [{"usage": None}, {"choices": []}, {"choices": [{"index": 0, "message": {"role": "assistant"}}]}]
)
def test_replies_with_parts_missing_are_traced_all_the_same(collector, monkeypatch, flaw):
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.url)
    with start_telemetry():
        asyncio.run(ask(model_client(REPLY | flaw)))
    assert "ChatCompletion" in collector.spans()


def test_an_exception_marks_the_span_and_goes_on(collector, monkeypatch):
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.url)
    with start_telemetry(), pytest.raises(ValueError, match="no"), span("task"), span("critic"):
        raise ValueError("no")
    assert collector.spans()["critic"].status.code == 2
    assert collector.spans()["critic"].events[0].name == "exception"


def test_a_collector_that_dies_in_the_middle_is_said_once_and_not_waited_for(monkeypatch, caplog):
    collector = StubCollector()
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.url)
    for name in ("flex.telemetry.FLUSH_SECONDS", "flex.telemetry.otlp.EXPORT_SECONDS"):
        monkeypatch.setattr(name, 600)
    with start_telemetry():
        collector.stop()
        for _ in range(1500):  # more than a batch, so that deliveries start and fail
            with span("task"):
                pass
        start = time.perf_counter()
    assert time.perf_counter() - start < 300
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in warnings] == ["flex.telemetry.otlp"]
    assert "takes no spans" in warnings[0].message


def test_a_collector_that_hangs_is_waited_for_only_so_long(monkeypatch):
    collector = StubCollector()
    collector.answering.clear()
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.url)
    monkeypatch.setattr(telemetry, "FLUSH_SECONDS", 0.05)
    telemetry_on = start_telemetry()
    with span("task"):
        pass
    telemetry_on.shutdown()
    telemetry_on.shutdown()
    assert not collector.answering.is_set()
    collector.answering.set()
    collector.stop()


def test_the_end_of_tracing_leaves_the_client_as_it_was(collector, monkeypatch):
    import openai

    before = openai.AsyncOpenAI.request
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.url)
    with start_telemetry():
        assert openai.AsyncOpenAI.request is not before
        assert not start_telemetry().on, "one per process"
    assert openai.AsyncOpenAI.request is before
    with span("late") as current:
        current.set(output=1)
