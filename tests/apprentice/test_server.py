"""The apprentice over HTTP, as stock clients and gateways meet it."""

import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from flex.apprentice import running_apprentice
from flex.apprentice.endpoint.server import ApprenticeServer
from tests.cpu_time import cpu_seconds_below

MESSAGES = [{"role": "user", "content": "CC(=O)Nc1ccccc1"}]
ASKED = {"model": "apprentice-textbook", "messages": MESSAGES}


@pytest.fixture(scope="module")
def port():
    server = ApprenticeServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(port):
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def connection(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    yield connection
    connection.close()


def exchange(connection, method, path, body=None, headers=None):
    if isinstance(body, dict):
        body = json.dumps(body)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    text = response.read()
    return response, json.loads(text) if text else None


def test_a_stock_client_gets_a_completion_with_usage(client):
    reply = client.chat.completions.create(**ASKED, temperature=0.3, tools=[], user="somebody", seed=1)
    assert "not an LLM" in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0


def test_the_stream_says_the_same_and_ends_in_usage(client):
    whole = client.chat.completions.create(**ASKED).choices[0].message.content
    events = list(client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}))
    assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == whole
    assert [e.choices[0].finish_reason for e in events if e.choices][-1] == "stop"
    assert events[-1].choices == []
    assert events[-1].usage.total_tokens > 0


def test_a_stream_without_options_carries_no_usage(client):
    assert all(event.choices and event.usage is None for event in client.chat.completions.create(**ASKED, stream=True))


def test_the_stream_ends_in_done(connection):
    connection.request("POST", "/v1/chat/completions", json.dumps({**ASKED, "stream": True}))
    response = connection.getresponse()
    assert response.getheader("Content-Type").startswith("text/event-stream")
    assert response.read().endswith(b"data: [DONE]\n\n")


def test_several_choices_and_stop_sequences(client):
    reply = client.chat.completions.create(**ASKED, n=3, stop=["not an LLM", "never said"])
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert {choice.message.content for choice in reply.choices} == {"I am a mechanical apprentice, "}


def test_a_limit_on_tokens_cuts_the_reply(client):
    reply = client.chat.completions.create(**ASKED, max_tokens=2)
    assert reply.choices[0].finish_reason == "length"
    assert reply.choices[0].message.content == "I am a m"


@pytest.mark.parametrize("role", ["user", "developer", "system"])
def test_parts_and_the_developer_role_are_understood(client, role):
    parts = [{"type": "text", "text": "Propose the reactants."}]
    messages = [{"role": role, "content": parts}, {"role": "user", "content": [{"type": "text", "text": "CC(=O)NC"}]}]
    if role == "user":
        messages = messages[1:]
    reply = client.chat.completions.create(model="apprentice-textbook", messages=messages)
    assert "<answer>" in reply.choices[0].message.content


def test_models_are_listed_and_shown(client):
    assert [model.id for model in client.models.list()][:2] == ["apprentice", "apprentice-textbook"]
    assert client.models.retrieve("apprentice").owned_by == "flex"


def test_an_unknown_model_is_refused_as_the_real_one_does(client):
    with pytest.raises(openai.NotFoundError, match="gpt-9") as refused:
        client.chat.completions.create(model="gpt-9", messages=MESSAGES)
    assert refused.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


@pytest.mark.parametrize(
    "change",
    [
        {"messages": []},
        {"messages": "hello"},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": [{"role": "user", "content": 7}]},
        {"messages": ["hello"]},
        {"model": None},
        {"n": 0},
        {"stop": 3},
        {"max_tokens": -1},
        {"stream_options": "x"},
    ],
)
def test_a_wrong_request_is_400_and_names_what_is_wrong(connection, change):
    response, body = exchange(connection, "POST", "/v1/chat/completions", {**ASKED, **change})
    assert response.status == 400
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["message"]


def test_one_connection_survives_every_kind_of_error(connection):
    expected = [
        ("POST", "/v1/chat/completions", b"{not json", 400),
        ("POST", "/v1/chat/completions", b"[1]", 400),
        ("POST", "/v1/embeddings", b"{}", 404),
        ("GET", "/v1/nowhere", None, 404),
        ("GET", "/v1/chat/completions", None, 405),
        ("POST", "/v1/models", b"{}", 405),
        ("DELETE", "/v1/models/apprentice", None, 405),
        ("PUT", "/v1/chat/completions", b"{}", 405),
        ("POST", "/v1/chat/completions", b"[" * 100_000, 400),
        ("POST", "/v1/chat/completions", b'{"n": ' + b"9" * 5000 + b"}", 400),
        ("POST", "/v1/chat/completions", b'{"messages": "\\ud83d"}', 400),
        ("GET", "/v1/models/?limit=3", None, 200),
        ("POST", "/chat/completions", json.dumps(ASKED), 200),
    ]
    for method, path, body, status in expected:
        response, answer = exchange(connection, method, path, body)
        assert response.status == status, (method, path)
        assert ("error" in answer) == (status != 200)
        assert int(response.getheader("Content-Length")) > 0


def raw(port, request):
    """What is sent until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def post(version, body, *headers):
    body = json.dumps(body).encode()
    head = [f"POST /v1/chat/completions HTTP/{version}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


@pytest.mark.parametrize("sent", [post("1.0", ASKED), post("1.1", ASKED, "Host: x", "Connection: close")])
def test_a_gateway_is_told_when_the_connection_ends(port, sent):
    head, body = raw(port, sent).split(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert json.loads(body)["choices"]


def test_a_stream_over_http_1_0_has_no_chunks(port):
    head, body = raw(port, post("1.0", {**ASKED, "stream": True}, "Connection: keep-alive")).split(b"\r\n\r\n", 1)
    assert b"Transfer-Encoding" not in head
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")


def test_a_health_check_by_head_is_answered_without_a_body(connection):
    response, body = exchange(connection, "HEAD", "/v1/models")
    assert (response.status, body) == (200, None)
    assert exchange(connection, "GET", "/v1/models")[0].status == 200


def test_what_is_not_even_http_is_refused_in_json(port):
    assert json.loads(raw(port, b"BREW /v1/models HTTP/1.1\r\n\r\n").split(b"\r\n\r\n")[1])["error"]


def test_a_body_in_chunks_is_read(connection):
    body = json.dumps(ASKED).encode()
    connection.request("POST", "/v1/chat/completions", iter([body[:10], body[10:]]), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})  # fmt: skip
    response = connection.getresponse()
    assert response.status == 200
    assert json.loads(response.read())["choices"]


def test_a_huge_prompt_is_not_taken_for_a_molecule(connection):
    asked = {"model": "apprentice", "messages": [{"role": "user", "content": "C" * 1_000_000}]}
    with cpu_seconds_below(5):  # the server is a thread of this process
        assert exchange(connection, "POST", "/v1/chat/completions", asked)[0].status == 200


def test_many_at_once_and_quickly(port):
    def ask(_):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        answers = [exchange(connection, "POST", "/v1/chat/completions", ASKED)[1] for _ in range(3)]
        connection.close()
        return [answer["choices"][0]["message"]["content"] for answer in answers]

    with ThreadPoolExecutor(40) as pool:
        said = {text for texts in pool.map(ask, range(80)) for text in texts}
    assert len(said) == 1


def test_a_reply_does_not_wait_for_a_delayed_acknowledgement(port, connection, monkeypatch):
    """Nagle's algorithm, 40 ms for each reply, is off, and head and body are one packet."""
    packets, send = [], socket.socket.send

    def counted(self, data, *flags):
        if self.getsockname()[1] == port:
            packets.append((self.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0, bytes(data)[:8]))
        return send(self, data, *flags)

    monkeypatch.setattr(socket.socket, "send", counted)
    exchange(connection, "POST", "/v1/chat/completions", ASKED)
    assert packets == [(True, b"HTTP/1.1")]


def test_a_process_of_its_own_serves_with_latency_and_is_gone_afterwards():
    with running_apprentice(latency=0.2) as base_url:
        port = int(base_url.removeprefix("http://127.0.0.1:").removesuffix("/v1"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        start = time.perf_counter()
        assert exchange(connection, "POST", "/v1/chat/completions", ASKED)[0].status == 200
        assert time.perf_counter() - start >= 0.2
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        exchange(http.client.HTTPConnection("127.0.0.1", port, timeout=300), "GET", "/v1/models")


def test_a_port_in_use_is_an_error_not_a_hang(port):
    with pytest.raises(RuntimeError, match=str(port)), running_apprentice(port):
        pass
