"""Addresses with a query, the address that a key stands for, and proxies."""

import asyncio

import httpx2
import pytest

from flex.endpoint.connection import find_address, is_here
from flex.errors import SettingsError
from flex.rate_limiter import RateLimitedLLMClient
from tests.fake_endpoint import Endpoint, completion

HI = [{"role": "user", "content": "hi"}]
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY")


@pytest.mark.parametrize("path", ["/v1?api-version=X", "/v1/?api-version=X", "/v1/chat/completions?api-version=X"])
def test_a_query_in_the_address_stays_at_the_end(path):
    with Endpoint() as endpoint:
        address = endpoint.url.removesuffix("/v1") + path
        asyncio.run(RateLimitedLLMClient(base_url=address).complete("m", HI))
    assert endpoint.calls[0].path == "/v1/chat/completions?api-version=X"


def test_azure_gets_its_key_in_its_own_header():
    sent = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json=completion("ok"))

    async def ask(host: str) -> None:
        address = f"https://{host}/openai/v1?api-version=preview"
        transport = httpx2.MockTransport(answer)
        await RateLimitedLLMClient("k", address, transport=transport).complete("m", HI)

    asyncio.run(ask("mine.openai.azure.com"))
    asyncio.run(ask("elsewhere.invalid"))
    assert [request.headers.get("api-key") for request in sent] == ["k", None]


def test_openais_key_alone_stands_for_its_address(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert find_address(None) == "https://api.openai.com/v1"
    monkeypatch.setenv("API_KEY", "of somebody else")
    with pytest.raises(SettingsError, match="no endpoint"):
        find_address(None)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("::1", True),
        ("a.localhost", True),
        ("example.org", False),
        ("10.0.0.1", False),
        (None, False),
    ],
)
def test_this_machine_is_known_by_name(host, here):
    assert is_here(host) == here


@pytest.mark.parametrize(
    ("name", "proxy"),
    [("http_proxy", "http://127.0.0.1:9"), ("ALL_PROXY", "socks5://127.0.0.1:9"), ("all_proxy", "socks://127.0.0.1:9")],
)
def test_no_proxy_stands_between_us_and_this_machine(monkeypatch, name, proxy):
    for variable in PROXY_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, proxy)
    with Endpoint("hello") as endpoint:
        client = RateLimitedLLMClient(base_url=endpoint.url, max_retries=0)
        asyncio.run(client.check())
        assert asyncio.run(client.complete("m", HI)).text == "hello"


def test_a_proxy_that_cannot_be_used_is_one_clear_line(monkeypatch):
    for variable in PROXY_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"the proxy in the environment .* cannot be used"):
        asyncio.run(RateLimitedLLMClient(base_url="http://model.invalid/v1").complete("m", HI))
