"""The client against an endpoint with faults, on real sockets."""

import asyncio
import bisect
import email.utils
import logging
import random
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx2
import pytest

from flex.endpoint.connection import wrong_protocol
from flex.endpoint.dialects import parse_reply, parse_usage
from flex.endpoint.failures import parse_failure, retry_after
from flex.endpoint.pacing import Pace, Pacer, RequestBucket, TokenWindow
from flex.errors import EndpointError, EndpointUnusable, FlexError, SettingsError, TaskRefused
from flex.rate_limiter import ChatModel, RateLimitedLLMClient
from flex.types import Reply, Usage
from tests.fake_endpoint import Answer, Call, Endpoint, completion, error
from tests.virtual_time import VirtualClock

HI = [{"role": "user", "content": "hi"}]


def client_of(endpoint: Endpoint, **settings) -> RateLimitedLLMClient:
    return RateLimitedLLMClient(**({"base_url": endpoint.url, "backoff": 0.001, "timeout": 60} | settings))


def ask(client: RateLimitedLLMClient, **options) -> Reply:
    return asyncio.run(client.complete("m", HI, **options))


async def ask_often(client: RateLimitedLLMClient, times: int, **options) -> list[Reply]:
    return await asyncio.gather(*(client.complete("m", HI, **options) for _ in range(times)))


class Times:
    """A client without a network, on a clock of its own: how the endpoint answers, and when it was asked.

    An answer is a status with its headers, or the seconds that a reply takes.
    """

    def __init__(self, *script: tuple[int, dict[str, str]] | float, usage: dict | None = None, **settings) -> None:
        self.clock, self.times, self.most_at_once = VirtualClock(), [], 0
        self._script, self._usage, self._under_way = list(script), usage, 0
        self.client = RateLimitedLLMClient(
            base_url="http://nowhere.invalid/v1", transport=httpx2.MockTransport(self._answer), **settings
        )

    async def _answer(self, _: httpx2.Request) -> httpx2.Response:
        self.times.append(self.clock.now)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        answer = self._script.pop(0) if self._script else 0.0
        await asyncio.sleep(answer if isinstance(answer, float) else 0)
        self._under_way -= 1
        if isinstance(answer, float):
            return httpx2.Response(200, json=completion("ok", usage=self._usage))
        return httpx2.Response(answer[0], headers=answer[1])

    def ask(self, times: int = 1) -> list[Reply]:
        return self.clock.run(ask_often(self.client, times))


# Settings


@pytest.mark.parametrize(
    ("arguments", "environment", "url", "key"),
    [
        ({"base_url": "http://a/v1"}, {"BASE_URL": "http://b/v1"}, "http://a/v1", ""),
        ({}, {"BASE_URL": "http://b/v1/", "API_KEY": " k\n"}, "http://b/v1", "k"),
        ({}, {"BASE_URL": "", "OPENAI_BASE_URL": "http://c/v1", "OPENAI_API_KEY": "o"}, "http://c/v1", "o"),
        ({"api_key": ""}, {"BASE_URL": "http://b/v1", "API_KEY": "", "OPENAI_API_KEY": "o"}, "http://b/v1", "o"),
        ({"base_url": "http://a/v1/chat/completions"}, {}, "http://a/v1", ""),
    ],
)
def test_settings_come_from_the_argument_then_ours_then_openais(monkeypatch, arguments, environment, url, key):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = RateLimitedLLMClient(**arguments)
    assert (client.base_url, client._key) == (url, key)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no endpoint: export BASE_URL"),
        ({"base_url": "localhost:8000/v1"}, "'localhost:8000/v1' is not an address"),
        ({"base_url": "http://[x/v1"}, "is not an address"),
        ({"base_url": "http://a/v1", "api_key": "secret\x00key"}, "check API_KEY"),
        ({"base_url": "http://a/v1", "api_key": "sécret"}, "check API_KEY"),
        ({"base_url": "http://a/v1", "requests_per_minute": 0}, "requests_per_minute has to be above zero"),
    ],
)
def test_unusable_settings_are_one_clear_line_without_the_key(arguments, message):
    with pytest.raises(SettingsError, match=message) as raised:
        RateLimitedLLMClient(**arguments)
    assert "\n" not in str(raised.value)
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize(("key", "header"), [("k", "Bearer k"), ("", None)])
def test_a_local_server_needs_no_key(key, header):
    with Endpoint() as endpoint:
        ask(client_of(endpoint, api_key=key))
    assert endpoint.calls[0].headers.get("authorization") == header


def test_check_passes_when_somebody_listens_and_says_so_when_nobody_does():
    with Endpoint() as endpoint:
        asyncio.run(client_of(endpoint).check())
        assert endpoint.calls == []
    with pytest.raises(SettingsError, match=f"nobody answers at {endpoint.url}"):
        asyncio.run(client_of(endpoint).check())


def test_check_asks_nobody_behind_a_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    asyncio.run(RateLimitedLLMClient(base_url="http://model.invalid/v1").check())


# Replies


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "hello"}, "hello", ""),
        ({"content": None}, "", ""),
        ({"content": None, "refusal": "I will not"}, "I will not", ""),
        ({"content": "<think>a</think>b"}, "b", "a"),
        ({"content": "b", "reasoning_content": "a"}, "b", "a"),
        ({"content": "b", "reasoning": "a", "reasoning_content": None}, "b", "a"),
        ({"content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}, "bc", ""),
        ({"content": [{"type": "thinking", "thinking": [{"text": "a"}]}, {"type": "text", "text": "b"}]}, "b", "a"),
        ({"content": ["b", {"text": "c"}, 7, None]}, "bc", ""),
        ({"content": {"type": "text", "text": "b"}}, "b", ""),
        ({"content": "half a pair: \ud83d!"}, "half a pair: \ufffd!", ""),
    ],
)
def test_replies_are_read_in_every_shape(message, text, reasoning):
    reply = parse_reply({"choices": [{"message": message, "finish_reason": "length"}]})
    assert (reply.text, reply.reasoning, reply.finish_reason) == (text, reasoning, "length")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage(1)),
        ([], Usage(1)),
        ({"prompt_tokens": 3}, Usage(1, 0, 3)),
        ({"prompt_tokens": "3", "completion_tokens": 2.0, "prompt_tokens_details": None}, Usage(1, 0, 3, 0, 2)),
        ({"prompt_tokens": None, "completion_tokens": "many"}, Usage(1)),
        ({"prompt_tokens": float("nan"), "completion_tokens": -1}, Usage(1)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 7}, Usage(1, 0, 9, 7)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 7}}, Usage(1, 0, 9, 7)),
        ({"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}}, Usage(1, 0, 0, 0, 9, 4)),
        ({"input_tokens": 9, "output_tokens": 4}, Usage(1, 0, 9, 0, 4)),
        ({"total_tokens": 9}, Usage(1, 0, 9)),
        ({"total_tokens": 9, "completion_tokens": 4}, Usage(1, 0, 5, 0, 4)),
    ],
)
def test_usage_is_read_in_every_shape(usage, expected):
    assert parse_usage(usage) == expected


def test_tokens_that_nobody_counts_are_estimated_and_that_is_noted_once():
    with Endpoint(default=completion("1234567", usage=None)) as endpoint:
        client = client_of(endpoint)
        assert [ask(client).usage for _ in range(2)] == [Usage(1, 0, 1, 0, 2)] * 2
    assert client.total == Usage(2, 0, 2, 0, 4)
    assert [note.split(":")[0] for note in client.notes] == ["model 'm' does not say how many tokens it used"]


def test_usage_adds_up_per_role():
    with Endpoint(Answer(500), default=completion("ok", usage={"prompt_tokens": 7})) as endpoint:
        client = client_of(endpoint)
        assert ask(client, role="actor").usage == Usage(1, 1, 7)
        ask(client, role="actor")
        ask(client, role="critic")
    assert client.usage == {"actor": Usage(2, 1, 14), "critic": Usage(1, 0, 7)}
    assert client.total == Usage(3, 1, 21)


# Faults that pass

LATER = email.utils.formatdate(time.time() - 60, usegmt=True)
PASSING = {
    "408": Answer(408),
    "409": Answer(409),
    "425": Answer(425),
    "429": Answer(429, error("slow down")),
    "500 as a page": Answer(500, "<html>oops</html>"),
    "529": Answer(529),
    "retry-after": Answer(429, headers={"retry-after": "0"}),
    "retry-after-ms": Answer(429, headers={"retry-after-ms": "1"}),
    "retry-after date": Answer(503, headers={"retry-after": LATER}),
    "unreadable retry-after": Answer(503, headers={"retry-after": "soon"}),
    "x-should-retry": Answer(400, error("hiccup"), headers={"x-should-retry": "true"}),
    "no choices": completion("", choices=[]),
    "choices null": {"choices": None, "usage": None},
    "message null": {"choices": [{"message": None}]},
    "error in a 200": error("upstream is busy", code=502),
    "a tool that nobody offered": Answer(400, error("Tool choice is none, but model called", code="tool_use_failed")),
    "Groq is full": Answer(498, error("Flex tier capacity exceeded", code="capacity_exceeded")),
    "error in a choice": {"choices": [{"error": {"code": 429, "message": "busy"}}]},
    "cut off in the head": Answer(cut=10),
    "cut off in the body": Answer(body=completion("ok"), cut=150),
    "JSON cut off": Answer(body='{"choices": [', headers={"content-type": "application/json"}),
    "no answer": Answer(cut=0),
    "nothing": Answer(body="", headers={"content-type": "application/json"}),
    "a stream that breaks off": Answer(body='data: {"choices": [{"delta": {"content": "he"}}]}\n\n'),
    "an error in a stream": Answer(body='data: {"error": {"message": "busy", "code": 502}}\n\ndata: [DONE]\n\n'),
    "brackets without end": Answer(body='{"a":' + "[" * 100_000),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_tried_again(fault):
    with Endpoint(fault, fault, "hello") as endpoint:
        reply = ask(client_of(endpoint))
    assert (reply.text, reply.usage.retries, len(endpoint.calls)) == ("hello", 2, 3)


def test_a_slow_answer_is_a_passing_fault():
    asked = Times(50.0, timeout=20)
    assert asked.ask()[0].usage.retries == 1
    assert 20 < asked.times[1] < 21


def test_retries_end_in_one_line_that_says_what_happened():
    with Endpoint(default=Answer(503, error("over\nloaded"))) as endpoint:
        with pytest.raises(EndpointError, match=r"model 'm': 503 over loaded \(after 2 retries\)$"):
            ask(client_of(endpoint, max_retries=2))
        assert len(endpoint.calls) == 3


def test_a_refused_connection_ends_in_a_line_that_names_the_url():
    with Endpoint() as endpoint:
        pass
    with pytest.raises(EndpointUnusable, match=f"nobody answers: {endpoint.url}.*no connection.*after 1 retries"):
        ask(client_of(endpoint, max_retries=1))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "86400"}, 120),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": LATER}, 0),
        ({"retry-after": "soon"}, None),
        ({"llm_provider-retry-after": "60"}, 60),
    ],
)
def test_retry_after_is_read_and_capped(headers, seconds):
    assert retry_after(headers) == seconds


def test_retry_after_is_honoured():
    asked = Times((429, {"retry-after": "30"}))
    asked.ask()
    assert 30 <= asked.times[1] - asked.times[0] <= 36


def test_without_a_wish_of_the_endpoint_every_wait_is_longer():
    asked = Times(*[(503, {})] * 4)
    asked.ask()
    waits = [after - before for before, after in pairwise(asked.times)]
    assert all(least <= wait <= 1.2 * least for wait, least in zip(waits, (0.5, 1.25, 3.125, 7.8125), strict=True))


def silence(ending: str = "stop", thought: str = "hm") -> dict:
    """A reply without a word."""
    message = {"role": "assistant", "content": None, "reasoning_content": thought}
    return completion(None, choices=[{"index": 0, "finish_reason": ending, "message": message}])


@pytest.mark.parametrize("ending", ["stop", "error", None])
def test_a_reply_that_holds_nothing_is_asked_for_again_and_paid_for(ending):
    with Endpoint(silence(ending), silence(ending), "hello") as endpoint:
        reply = ask(client_of(endpoint))
    assert (reply.text, reply.finish_reason, len(endpoint.calls)) == ("hello", "stop", 3)
    assert reply.usage == Usage(1, 2, 30, 0, 15)


def test_a_call_of_a_tool_that_nobody_offered_is_a_step_of_an_agent_and_else_nothing():
    tool = {"function": {"name": "final_answer", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [tool]}
    called = completion(None, choices=[{"index": 0, "finish_reason": "tool_calls", "message": message}])
    with Endpoint(called, "hello", called) as endpoint:
        assert ask(client_of(endpoint)).text == "hello"
        assert ask(client_of(endpoint), stop=["Observation:"]).calls == (("final_answer", "{}"),)
    assert len(endpoint.calls) == 3


def test_who_stays_silent_is_believed_and_asked_once_the_next_time():
    with Endpoint(*[silence()] * 5, "hello", silence(), "again") as endpoint:
        client = client_of(endpoint)
        assert [ask(client).finish_reason for _ in range(2)] == ["empty", "empty"]
        assert len(endpoint.calls) == 5
        assert [ask(client).text for _ in range(2)] == ["hello", "again"]


@pytest.mark.parametrize(("ending", "read"), [("length", "length"), ("content_filter", "filtered")])
def test_what_would_be_the_same_again_is_asked_for_once(ending, read):
    with Endpoint(silence(ending)) as endpoint:
        assert ask(client_of(endpoint)).finish_reason == read
    assert len(endpoint.calls) == 1


def test_a_stop_sequence_that_ended_the_thinking_is_not_sent_again():
    with Endpoint(default=lambda call: silence() if "stop" in call.body else "seven Observation: eight") as endpoint:
        assert ask(client_of(endpoint), stop=["Observation:"]).text == "seven"


def test_a_stop_sequence_is_cut_even_if_the_endpoint_took_it():
    with Endpoint("a b STOP c") as endpoint:
        assert ask(client_of(endpoint), stop=["STOP"]).text == "a b"


# Faults that stay

LASTING = {
    "401": (
        Answer(401, error("bad key sk-secret given")),
        EndpointUnusable,
        r"refused the API key \(401 bad key \*\*\*",
    ),
    "403": (Answer(403), EndpointUnusable, r"refused the API key \(403 Forbidden\)"),
    "403 in two wrappings": (
        Answer(403, {"detail": error("Incorrect API key", code="invalid_api_key")}),
        EndpointUnusable,
        r"refused the API key \(403 Incorrect API key\)",
    ),
    "Gemini's key": (
        Answer(400, [error("API key not valid. Pass a valid API key.")]),
        EndpointUnusable,
        "check API_KEY",
    ),
    "a gateway's key": (
        Answer(400, error("No connected db.", type="no_db_connection")),
        EndpointUnusable,
        "check API_KEY",
    ),
    "404": (Answer(404, {"detail": "Not Found"}), EndpointUnusable, "no model 'm' at http.*/v1.*Not Found"),
    "unknown model": (Answer(400, error("The model `m` does not exist")), EndpointUnusable, "no model 'm' at"),
    "DeepSeek's": (
        Answer(400, error("Model Not Exist", type="invalid_request_error")),
        EndpointUnusable,
        "no model 'm'",
    ),
    "a page": (Answer(200, "<html><body>Welcome</body></html>"), EndpointUnusable, "does BASE_URL end in /v1.*Welcome"),
    "quota": (Answer(429, error("out of money", code="insufficient_quota")), EndpointUnusable, "429 out of money"),
    "402": (Answer(402, error("Insufficient Balance")), EndpointUnusable, "402 Insufficient Balance"),
    "told not to": (Answer(503, headers={"x-should-retry": "false"}), EndpointError, "503"),
    "too long": (
        Answer(400, error("maximum context length is 10 tokens", type="invalid_request_error", param="messages")),
        TaskRefused,
        "400 maximum context length",
    ),
    "Gemini's list": (Answer(400, [error("something else")]), EndpointError, "400 something else"),
}


DOUBTED = ("API key", "no model", "BASE_URL")
"""What is asked once more before it is believed."""


@pytest.mark.parametrize(("fault", "kind", "message"), LASTING.values(), ids=LASTING)
def test_a_lasting_fault_is_told_at_once(fault, kind, message):
    with Endpoint(default=fault) as endpoint:
        with pytest.raises(kind, match=message) as raised:
            ask(client_of(endpoint, api_key="sk-secret"), temperature=0.5, stop=["x"])
        assert len(endpoint.calls) == 1 + any(words in str(raised.value) for words in DOUBTED)
    assert "\n" not in str(raised.value)
    assert "sk-secret" not in str(raised.value)


def test_a_missing_key_is_told_as_such():
    with Endpoint(default=Answer(401)) as endpoint, pytest.raises(EndpointUnusable, match="no API key is set"):
        ask(client_of(endpoint))


def test_https_where_http_is_spoken_is_told_at_once():
    tries = 0

    async def talk(reader, writer):
        nonlocal tries
        tries += 1
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with RateLimitedLLMClient(base_url=address, backoff=0.001, timeout=300) as client:
            with pytest.raises(EndpointUnusable, match=f"{address} speaks http, not https; check BASE_URL$"):
                await client.complete("m", HI)
        server.close()

    asyncio.run(run())
    assert tries == 1


def test_a_certificate_that_is_not_trusted_is_told_from_a_connection_that_broke():
    untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed")
    untrusted.verify_message = "self-signed certificate"
    wrapped = ConnectionError("no connection")
    wrapped.__cause__ = untrusted
    assert wrong_protocol(wrapped) == "shows a certificate that is not trusted (self-signed certificate)"
    assert wrong_protocol(ssl.SSLEOFError(8, "EOF occurred in violation of protocol")) is None
    assert wrong_protocol(ConnectionResetError()) is None


def test_a_page_from_an_endpoint_that_has_answered_is_a_passing_fault():
    with Endpoint("one", "<html>", Answer(200, "<html>busy</html>"), "two") as endpoint:
        client = client_of(endpoint)
        assert [ask(client).text for _ in range(3)] == ["one", "<html>", "two"]


# Parameters


def refusing(*names: str, message: str = "Unsupported parameter: '{}' is not supported with this model."):
    """An endpoint's script: 400 as long as one of the parameters is sent."""

    def answer(call: Call):
        refused = next((name for name in names if name in call.body), None)
        return Answer(400, error(message.format(refused), code="unsupported_parameter")) if refused else "a b STOP c"

    return answer


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (400, error("Unsupported value: 'temperature' does not support 0.2 with this model.", param="temperature"), 0),
        (400, error("Unsupported parameter: 'temperature' is not supported with this model."), 0),
        (400, error("`temperature` is deprecated for this model."), 0),
        (422, {"detail": [{"loc": ["body", "stop"], "msg": "Extra inputs are not permitted"}]}, 1),
        (400, {"object": "error", "message": "Argument not supported on this model: stop"}, 1),
        (400, error("Unrecognized request argument supplied: reasoning_effort"), 2),
        (400, error("Invalid value for 'content'", param="messages.[0].content", type="invalid_request_error"), None),
        (400, error("please stop: the prompt holds 70000 tokens", type="invalid_request_error"), None),
        (429, error("Unsupported parameter: 'temperature'"), None),
    ],
)
def test_refused_parameters_are_recognised(status, body, refused):
    sent = ("temperature", "stop", "reasoning_effort")
    assert parse_failure(status, body, {}).refused(sent) == (None if refused is None else sent[refused])


def test_refused_parameters_are_dropped_remembered_and_noted_once(caplog):
    caplog.set_level(logging.INFO, "flex.rate_limiter")
    with Endpoint(default=refusing("temperature", "stop")) as endpoint:
        client = client_of(endpoint)
        first = ask(client, temperature=0.5, stop=["STOP"])
        assert (first.text, first.usage.retries, first.finish_reason) == ("a b", 0, "stop")
        assert len(endpoint.calls) == 3
        ask(client, temperature=0.5, stop=["STOP"])
        assert len(endpoint.calls) == 4
    logged = [record.getMessage() for record in caplog.records if record.name == "flex.rate_limiter"]
    assert [line.split(" and ")[0] for line in logged] == [
        "model 'm' refuses temperature=0.5",
        "model 'm' refuses stop=['STOP']",
    ]
    assert client.notes == logged[:1]  # what follows a stop sequence is cut here


def test_twenty_calls_refused_at_once_all_recover():
    with Endpoint(default=refusing("temperature", "stop"), latency=0.02) as endpoint:
        client = client_of(endpoint, max_retries=0)
        replies = asyncio.run(ask_often(client, 20, temperature=0.5, stop=["STOP"]))
    assert [reply.text for reply in replies] == ["a b"] * 20
    assert client.total.retries == 0


def test_max_tokens_goes_under_the_name_that_the_model_takes():
    message = "Unsupported parameter: '{}' is not supported with this model. Use 'max_completion_tokens' instead."
    with Endpoint(default=refusing("max_tokens", message=message)) as endpoint:
        ask(client_of(endpoint), max_tokens=9)
    assert [call.body.get("max_completion_tokens") for call in endpoint.calls] == [None, 9]


@pytest.mark.parametrize("option", [{"reasoning_effort": "high"}, {"extra_body": {"top_k": 3}}])
def test_a_refused_option_of_the_users_is_theirs_to_change(option):
    name = "top_k" if "extra_body" in option else "reasoning_effort"
    with (
        Endpoint(default=refusing(name)) as endpoint,
        pytest.raises(EndpointUnusable, match=f"'m' refuses {name}=.*leave it out"),
    ):
        ask(client_of(endpoint), **option)


def test_options_of_a_model_reach_the_endpoint():
    with Endpoint() as endpoint:
        model = ChatModel("m", role="actor", temperature=0.5, reasoning_effort="low", extra_body={"seed": 1, "n": 1})
        client = client_of(endpoint)
        asyncio.run(model.bound(client).complete(HI, stop=["x"]))
    options = {"temperature": 0.5, "reasoning_effort": "low", "seed": 1, "n": 1, "stop": ["x"]}
    assert endpoint.calls[0].body == {"model": "m", "messages": HI, **options}
    assert list(client.usage) == ["actor"]


def test_a_model_without_a_client_makes_one_from_the_environment(monkeypatch):
    model = ChatModel("m")
    with pytest.raises(SettingsError, match="no endpoint"):
        asyncio.run(model.complete(HI))
    with Endpoint("hello") as endpoint:
        monkeypatch.setenv("BASE_URL", endpoint.url)
        assert asyncio.run(model.complete(HI)).text == "hello"


# Slots


def test_slots_bound_the_calls_under_way():
    asked = Times(*[1.0] * 12, max_connections=4)
    asked.ask(12)
    assert (asked.most_at_once, asked.times) == (4, [0] * 4 + [1] * 4 + [2] * 4)


def test_connections_are_reused():
    with Endpoint() as endpoint:
        asyncio.run(ask_often(client_of(endpoint, max_connections=4), 12))
    assert endpoint.connections <= 4 < len(endpoint.calls)


def test_three_429s_at_once_do_not_deadlock_a_single_slot():
    with Endpoint(Answer(429), Answer(429), Answer(429)) as endpoint:
        replies = asyncio.run(asyncio.wait_for(ask_often(client_of(endpoint, max_connections=1), 3), 300))
    assert len(replies) == 3


def test_waiting_for_a_retry_leaves_the_slot_to_others():
    asked = Times((429, {"retry-after": "30"}), max_connections=1)
    asked.ask(2)
    assert asked.times[1] == 0
    assert asked.times[2] >= 30


def test_cancelling_a_call_frees_its_slot():
    async def run(client):
        call = asyncio.create_task(client.complete("m", HI))
        while not endpoint.calls:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return await asyncio.wait_for(client.complete("m", HI), 300)

    with Endpoint(Answer(delay=60), "hello") as endpoint:
        assert asyncio.run(run(client_of(endpoint, max_connections=1))).text == "hello"


def test_one_client_serves_several_event_loops_and_closes_its_connections():
    with Endpoint() as endpoint:
        client = client_of(endpoint, requests_per_minute=6000, tokens_per_minute=10**6, max_connections=2)
        for _ in range(3):
            asyncio.run(ask_often(client, 4))
    assert client.total.calls == 12


def test_a_transport_takes_the_place_of_the_network():
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=completion("hello")))
    assert ask(RateLimitedLLMClient(base_url="http://nowhere.invalid/v1", transport=transport)).text == "hello"


# Pace


def most_in(times: list[float], window: float) -> int:
    """The largest number of times in any closed window."""
    times = sorted(times)
    return max(bisect.bisect_right(times, start + window) - n for n, start in enumerate(times))


@pytest.mark.parametrize("limit", [1, 2, 7, 60, 600, 6000, 10000])
def test_the_bucket_holds_the_limit_and_uses_95_percent_of_it(limit):
    bucket = RequestBucket(limit)
    assert int(bucket.burst + bucket.rate * 61) <= limit
    assert bucket.rate * 60 >= 0.95 * limit


def admitted(limit: float, seconds: float) -> list[float]:
    """When calls may leave that all want to leave at once, on a loop whose wakers come late."""
    clock = VirtualClock(late=random.Random(1))
    times: list[float] = []

    async def caller(pacer: Pacer) -> None:
        while clock.now < seconds:
            await pacer.admit(2)
            times.append(clock.now)

    async def run() -> None:
        pacer = Pacer(Pace(limit))
        await asyncio.gather(*(caller(pacer) for _ in range(20)))

    clock.run(run())
    return [t for t in times if t < seconds]


@pytest.mark.parametrize(("limit", "minutes"), [(1, 60), (2.5, 60), (7, 20), (60, 10), (600, 3), (6000, 2)])
def test_no_minute_sees_more_than_the_limit_and_95_percent_of_it_are_used(limit, minutes):
    times = admitted(limit, 60.0 * minutes)
    delays = random.Random(2)
    assert most_in(times, 60) <= limit
    assert most_in([t + delays.uniform(0, 0.9) for t in times], 60) <= limit
    assert len(times) >= 0.95 * int(limit) * minutes


def test_retries_are_paced_too():
    asked = Times(*[(429, {"retry-after": "0"})] * 4, requests_per_minute=60)
    asked.ask()
    assert asked.times == pytest.approx([0, 0.5, 1.5, 2.5, 3.5], abs=0.1)


def test_another_event_loop_gets_no_burst_of_its_own():
    asked = Times(requests_per_minute=6)
    asked.ask(2)
    asked.ask(2)
    assert [after - before for before, after in pairwise(asked.times)] == pytest.approx([9.6, 10.2, 10.2], abs=0.4)


def test_threads_share_a_pace():
    with Endpoint() as endpoint:
        client = client_of(endpoint, requests_per_minute=1)
        ask(client)
        with ThreadPoolExecutor(1) as thread, pytest.raises(TimeoutError):
            thread.submit(lambda: asyncio.run(asyncio.wait_for(client.complete("m", HI), 0.1))).result()
        assert len(endpoint.calls) == 1


def spend(*costs: int) -> list[float]:
    """When calls that cost so many tokens may leave, one after the other, where 100 a minute are allowed."""
    clock = VirtualClock()

    async def run() -> list[float]:
        pacer, times = Pacer(Pace(tokens_per_minute=100)), []
        for cost in costs:
            await pacer.admit(4 * (cost - 1), max_tokens=1)
            times.append(clock.now)
        return times

    return clock.run(run())


@pytest.mark.parametrize(
    ("costs", "times"),
    [
        ([40, 40, 20, 40], [0, 0, 0, 61]),
        ([40, 40, 40, 40], [0, 0, 61, 61]),
        ([10, 500, 10], [0, 61, 122]),
    ],
    ids=["within the limit", "over the limit", "larger than the limit"],
)
def test_tokens_wait_for_room_in_the_window(costs, times):
    assert spend(*costs) == pytest.approx(times)


def test_a_reply_corrects_the_estimate_and_lets_the_next_call_go():
    clock = VirtualClock()

    async def run() -> float:
        pacer = Pacer(Pace(tokens_per_minute=1000))
        first = await pacer.admit(2, max_tokens=900)
        second = asyncio.create_task(pacer.admit(2, max_tokens=900))
        await asyncio.sleep(5)
        assert not second.done()
        pacer.settle(first, Usage(1, 0, 1, 0, 9))
        await second
        return clock.now

    assert clock.run(run()) == 5


def test_estimates_learn_from_what_calls_cost():
    window = TokenWindow(1000)
    before = window.estimate(100, None)
    assert before.tokens == 25 + 500
    window.add(before, now=0)
    window.learn(before, Usage(1, 0, 50, 0, 20))
    assert window.estimate(10, None).tokens == 5 + 20
    assert window.estimate(10, 0).tokens == 5, "what completes nothing"


def test_tokens_of_a_client_are_paced():
    asked = Times(usage={"prompt_tokens": 400, "completion_tokens": 100}, tokens_per_minute=1000)
    asked.ask(5)
    assert most_in(asked.times, 60) == 2
    assert asked.times == pytest.approx([0, 0, 61, 61, 122])


def test_a_prompt_above_the_limit_of_a_minute_is_told_instead_of_waiting():
    long = [{"role": "user", "content": "x" * 2600}]
    with Endpoint() as endpoint:
        client = client_of(endpoint, tokens_per_minute=10)
        with pytest.raises(SettingsError, match="a prompt of about 650 tokens never fits into tokens_per_minute 10;"):
            asyncio.run(client.complete("m", long))
        assert (endpoint.calls, client.total) == ([], Usage())
        assert ask(client).text == "ok"
        with pytest.raises(EndpointError, match="never fits"):  # later it is only this task that fails
            asyncio.run(client.complete("m", long))


# Tracing


def test_tracing_sees_the_calls():
    from openinference.instrumentation.openai import OpenAIInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with Endpoint("hello") as endpoint:
            ask(client_of(endpoint))
    finally:
        instrumentor.uninstrument()
    [span] = exporter.get_finished_spans()
    assert span.name == "ChatCompletion"
    assert span.attributes["llm.output_messages.0.message.content"] == "hello"
    assert span.attributes["llm.token_count.total"] == 15


def test_a_model_without_a_system_role_gets_it_in_the_first_question_once_learned():
    def gemma(call: Call):
        roles = [message["role"] for message in call.body["messages"]]
        return Answer(400, {"object": "error", "message": "System role not supported"}) if "system" in roles else "7"

    with Endpoint(default=gemma) as endpoint:
        client = client_of(endpoint, max_retries=0)
        talk = [{"role": "system", "content": "Be brief."}, *HI]
        assert [asyncio.run(client.complete("m", talk)).text for _ in range(2)] == ["7", "7"]
        assert len(endpoint.calls) == 3
        assert endpoint.calls[-1].body["messages"] == [{"role": "user", "content": "Be brief.\n\nhi"}]
    assert [note.split(":")[0] for note in client.notes] == ["model 'm' takes no system message"]


def test_a_server_that_cuts_prompts_is_noted_once_a_model():
    short = completion("ok", usage={"prompt_tokens": 12})
    cut = completion("ok", usage={"prompt_tokens": 2050})
    long = [{"role": "user", "content": "word " * 5_000}]
    with Endpoint(short, cut, cut, completion("ok", usage={"prompt_tokens": 5_000})) as endpoint:
        client = client_of(endpoint)
        ask(client)
        assert client.notes == []
        for _ in range(3):
            asyncio.run(client.complete("m", long))
    assert len(client.notes) == 1
    assert "only a part of a long prompt" in client.notes[0]


SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def test_a_schema_is_sent_as_the_format_of_the_reply():
    with Endpoint() as endpoint:
        client = client_of(endpoint)
        ask(client, schema=SCHEMA)
        ask(client)
        ask(client_of(endpoint, structured=False), schema=SCHEMA)
    sent = [call.body.get("response_format") for call in endpoint.calls]
    assert sent[0] == {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA}}
    assert sent[1:] == [None, None]


@pytest.mark.parametrize(
    "refusal",
    [
        Answer(400, error("This response_format type is unavailable now")),
        Answer(400, error("'response_format.type' must be 'text'")),
        Answer(400, error("This model does not support response format `json_schema`.")),
        Answer(400, error("The grammar backend is not there")),
        Answer(422, {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]}),
        Answer(400, error("Failed to generate JSON", code="json_validate_failed")),
        Answer(500, error("No module named 'outlines'")),
    ],
)
def test_a_schema_that_an_endpoint_cannot_keep_is_dropped_for_good(refusal):
    def answer(call: Call):
        return refusal if "response_format" in call.body else "{}"

    with Endpoint(default=answer) as endpoint:
        client = client_of(endpoint, max_retries=0)
        assert [ask(client, schema=SCHEMA).text for _ in range(2)] == ["{}", "{}"]
    assert len(endpoint.calls) == 3
    assert client.notes == []  # every reply is validated here anyway


def test_a_server_that_knows_json_objects_only_is_given_the_schema_in_its_own_words():
    """As llama-cpp-python's server says it."""

    def answer(call: Call):
        schema = call.body.get("response_format", {}).get("type") == "json_schema"
        return Answer(500, error("Input should be 'text' or 'json_object'")) if schema else "{}"

    with Endpoint(default=answer) as endpoint:
        client = client_of(endpoint, max_retries=0)
        assert [ask(client, schema=SCHEMA).text for _ in range(2)] == ["{}", "{}"]
    assert [call.body["response_format"] for call in endpoint.calls[1:]] == [
        {"type": "json_object", "schema": SCHEMA}
    ] * 2


def test_who_has_kept_a_schema_may_fail_for_other_reasons():
    with Endpoint("{}", Answer(500), default="{}") as endpoint:
        client = client_of(endpoint)
        for _ in range(2):
            ask(client, schema=SCHEMA)
    assert ["response_format" in call.body for call in endpoint.calls] == [True] * 3


def test_an_empty_reply_is_asked_for_again_without_a_schema():
    with Endpoint(default=lambda call: silence() if "response_format" in call.body else "{}") as endpoint:
        assert ask(client_of(endpoint), schema=SCHEMA).text == "{}"


# What ends a run


def dry(body="Insufficient Balance", status=402) -> Answer:
    return Answer(status, error(body))


async def asked(client: RateLimitedLLMClient, times: int) -> list:
    return await asyncio.gather(*(client.complete("m", HI) for _ in range(times)), return_exceptions=True)


def test_once_the_account_is_dry_no_call_of_the_run_goes_out_any_more():
    with Endpoint(*["ok"] * 3, default=dry()) as endpoint:

        async def run():
            async with client_of(endpoint, max_connections=2) as client:
                return [await asked(client, 20), await asked(client, 5)]

        first, later = asyncio.run(run())
    ends = [one for one in [*first, *later] if isinstance(one, Exception)]
    assert {type(one) for one in ends} == {EndpointUnusable}
    assert len({str(one) for one in ends}) == 1
    assert "the account cannot pay (402 Insufficient Balance)" in str(ends[0])
    assert len(ends) == 22
    assert len(endpoint.calls) <= 3 + 2


def test_trouble_that_lasts_ends_the_run_once_no_call_gets_through():
    with Endpoint("ok", default=Answer(200, {"error": {"message": "closed"}})) as endpoint:

        async def run():
            async with client_of(endpoint, max_connections=1) as client:
                return [await client.complete("m", HI), *[(await asked(client, 1))[0] for _ in range(5)]]

        ends = asyncio.run(run())[1:]
    assert [type(one) for one in ends] == [EndpointError] + [EndpointUnusable] * 4
    assert "the last 14 tries failed in the same words" in str(ends[-1])
    assert len(endpoint.calls) == 1 + 2 * 7


@pytest.mark.parametrize("script", [(["ok"] + [Answer(503)] * 7) * 6, ["ok"] + [Answer(500)] * 77])
def test_trouble_between_answers_or_of_a_task_ends_no_run(script):
    with Endpoint(*script) as endpoint:

        async def run():
            async with client_of(endpoint) as client:
                return [(await asked(client, 1))[0] for _ in range(12)]

        ends = asyncio.run(run())
    assert {type(one) for one in ends} <= {EndpointError, Reply}


def test_json_of_another_protocol_is_no_endpoint_of_ours():
    with Endpoint(default=Answer(200, {"type": "message", "content": [{"type": "text", "text": "7"}]})) as endpoint:
        with pytest.raises(EndpointUnusable, match="does not look like an OpenAI-compatible endpoint"):
            ask(client_of(endpoint))
        assert len(endpoint.calls) == 2


def test_a_client_outside_of_a_run_asks_again_once_the_account_is_filled():
    with Endpoint(dry(), "ok") as endpoint:
        client = client_of(endpoint)
        with pytest.raises(EndpointUnusable):
            ask(client)
        assert ask(client).text == "ok"


@pytest.mark.parametrize("hiccup", [Answer(401), Answer(404), Answer(200, "<html>"), Answer(403)])
@pytest.mark.parametrize("before", [0, 3])
def test_a_passing_refusal_of_everybody_is_not_believed(hiccup, before):
    if before and hiccup.status == 403:
        pytest.skip("no refusal of everybody from who has answered")
    with Endpoint(*["ok"] * before, hiccup, "ok") as endpoint:
        client = client_of(endpoint)
        assert [ask(client).text for _ in range(before + 1)] == ["ok"] * (before + 1)
        assert client.total.retries == 1


def test_a_key_that_is_revoked_is_asked_for_twice_by_one_call_on_behalf_of_all():
    with Endpoint(*["ok"] * 4, default=Answer(401, error("revoked"))) as endpoint:

        async def run():
            async with client_of(endpoint, max_connections=4) as client:
                await client.complete("m", HI)
                return await asked(client, 30)

        ends = [one for one in asyncio.run(run()) if isinstance(one, Exception)]
    assert {type(one) for one in ends} == {EndpointUnusable}
    assert len(endpoint.calls) <= 5 + 4 + 2


def test_the_first_call_of_a_run_is_refused_on_behalf_of_all():
    with Endpoint(default=dry()) as endpoint:

        async def run():
            async with client_of(endpoint) as client:
                return await asked(client, 20)

        assert {type(one) for one in asyncio.run(run())} == {EndpointUnusable}
    assert len(endpoint.calls) == 1


def test_a_first_call_that_takes_its_time_is_not_waited_for_long():
    asked = Times(10.0)

    async def run():
        async with asked.client as client:
            await ask_often(client, 3)

    asked.clock.run(run())
    assert asked.times == [0, 2, 2]


def test_who_waits_for_another_try_hears_that_the_run_is_over():
    with Endpoint(Answer(429, headers={"retry-after": "100"}), dry()) as endpoint:

        async def run():
            async with client_of(endpoint) as client:
                return await asked(client, 2)

        first, second = asyncio.run(run())
    assert isinstance(first, EndpointUnusable)
    assert isinstance(second, EndpointUnusable)


def test_a_refusal_that_no_task_explains_is_believed_when_it_repeats():
    with Endpoint(default=Answer(400, error("Argument 17 not supported: x"))) as endpoint:
        client = client_of(endpoint)
        kinds = []
        for _ in range(3):
            with pytest.raises(FlexError) as raised:
                ask(client)
            kinds.append(type(raised.value))
    assert kinds == [EndpointError, EndpointError, EndpointUnusable]


def test_who_has_answered_refuses_a_task_for_its_own_reason():
    with Endpoint("ok", Answer(400, error("odd characters")), "ok") as endpoint:
        client = client_of(endpoint)
        ask(client)
        with pytest.raises(TaskRefused, match="400 odd characters"):
            ask(client)
        assert ask(client).text == "ok"


def test_an_error_in_a_200_is_an_address_that_is_wrong_until_somebody_has_answered():
    wrong = {"error": "Unexpected endpoint or method. (POST /chat/completions)"}
    with Endpoint(default=wrong) as endpoint:
        with pytest.raises(EndpointUnusable, match=r"does BASE_URL end in /v1\? \(200 Unexpected endpoint"):
            ask(client_of(endpoint))
        assert len(endpoint.calls) == 2
    with Endpoint("ok", *[wrong] * 4, "ok") as endpoint:
        client = client_of(endpoint)
        assert [ask(client).text for _ in range(2)] == ["ok", "ok"]


def test_the_reason_is_what_failures_are_counted_under():
    faults = {
        "503 over": Answer(503, error("over")),
        "429 tokens per min: Limit n, used n": Answer(429, error("tokens per min: Limit 10, used 9.5")),
        "context length exceeded": Answer(400, error("maximum context length is 8 tokens")),
        "a reply that is not JSON": Answer(200, "{"),
    }
    for reason, fault in faults.items():
        with Endpoint("ok", default=fault) as endpoint:
            client = client_of(endpoint, max_retries=0)
            ask(client)
            with pytest.raises(EndpointError) as raised:
                ask(client)
        assert raised.value.reason == reason
