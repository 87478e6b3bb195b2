"""Where the endpoint is and how calls get there: settings, a first look, connections."""

import asyncio
import functools
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from flex.endpoint.gate import Gate
from flex.endpoint.pacing import Pace, Pacer
from flex.errors import SettingsError

if TYPE_CHECKING:
    import ssl

    import httpx2
    from openai._legacy_response import LegacyAPIResponse

OPENAI = "https://api.openai.com/v1"
CONNECT_TIMEOUT = 30.0
PROBE_TIMEOUT = 5.0
KEEPALIVE = 30.0
"""Seconds an idle connection is kept."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST")
RAW_RESPONSE_HEADER = "X-Stainless-Raw-Response"
"""With it the SDK hands out the HTTP response instead of parsing it."""


def _setting(argument: str | None, *names: str) -> str:
    """The first that is set: the argument, then the variables of the environment; blank counts as unset."""
    values = (argument, *(os.environ.get(name) for name in names))
    return next((value.strip() for value in values if value and value.strip()), "")


def find_address(argument: str | None) -> str:
    """The endpoint's address without a trailing slash. Raises SettingsError when there is none or it is no URL.

    A query, such as Azure's `?api-version=...`, stays. With OpenAI's key alone the address is OpenAI's.
    """
    path, mark, query = _setting(argument, "BASE_URL", "OPENAI_BASE_URL").partition("?")
    address = path.rstrip("/").removesuffix("/chat/completions") + mark + query
    if not address and _setting(None, "OPENAI_API_KEY") and not _setting(None, "API_KEY"):
        return OPENAI
    if not address:
        raise SettingsError(
            "no endpoint: export BASE_URL=https://.../v1 and API_KEY=..., or try everything without one: flex demo"
        )
    try:
        url = urlsplit(address)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"BASE_URL '{address}' is not an address; it looks like https://host.example/v1")
    return address


def find_key(argument: str | None) -> str:
    """The API key, "" if there is none. Raises SettingsError, without showing it, when no header can carry it."""
    key = _setting(argument, "API_KEY", "OPENAI_API_KEY")
    if not all("!" <= character <= "~" for character in key):
        raise SettingsError("the API key holds a space, a line break or a letter that is not ASCII; check API_KEY")
    return key


def without_password(address: str) -> str:
    """An address without the user and password in it."""
    return re.sub(r"//[^/@]*@", "//", address)


def is_here(host: str | None) -> bool:
    """Whether a host is this machine, which no proxy knows the way to."""
    host = (host or "").casefold()
    return host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")


@functools.cache
def _certificates() -> "ssl.SSLContext":
    """Reading the system's certificates takes 30 ms; once is enough."""
    import httpx2

    return httpx2.create_ssl_context()


def wrong_protocol(error: BaseException | None) -> str | None:
    """What is wrong with the other side of a connection that failed, None when another try may help."""
    import ssl

    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"shows a certificate that is not trusted ({error.verify_message})"
        if isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in _NO_TLS:
            return "speaks http, not https"
        error = error.__cause__ or error.__context__
    return None


async def probe(address: str) -> None:
    """Open a connection and close it again; behind a proxy nothing is tried.

    Raises SettingsError when it is refused or the host is unknown.
    """
    from urllib.request import getproxies, proxy_bypass

    url, proxies = urlsplit(address), getproxies()
    if (proxies.get(url.scheme) or proxies.get("all")) and not (is_here(url.hostname) or proxy_bypass(url.netloc)):
        return
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(url.hostname, url.port or {"https": 443}.get(url.scheme, 80))
    except TimeoutError:  # slow is not wrong; the first call will tell
        return
    except OSError as error:
        raise SettingsError(f"nobody answers at {without_password(address)} ({error}); check BASE_URL") from error
    writer.close()


def _http(
    host: str | None, max_connections: int, transport: "httpx2.AsyncBaseTransport | None"
) -> "httpx2.AsyncClient":
    """Raises SettingsError for a proxy of the environment that cannot be used; this machine needs none."""
    import httpx2

    try:
        return httpx2.AsyncClient(
            trust_env=not is_here(host),
            verify=_certificates(),
            limits=httpx2.Limits(max_connections=max_connections, keepalive_expiry=KEEPALIVE),
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),  # the whole try has one of its own
            follow_redirects=True,
            transport=transport,
        )
    except (ImportError, ValueError) as error:
        hint = "unset it, or pip install 'httpx2[socks]' for socks5://"
        raise SettingsError(f"the proxy in the environment (ALL_PROXY, ...) cannot be used: {error}; {hint}") from error


class Connection:
    """What belongs to one event loop: the SDK's client, slots for calls, and a place in the pace.

    The SDK's own retries are off, they would wait inside the slot.
    """

    def __init__(
        self,
        address: str,
        key: str,
        max_connections: int,
        pace: Pace,
        transport: "httpx2.AsyncBaseTransport | None",
    ) -> None:
        from openai import AsyncOpenAI, Omit

        self._slots = asyncio.Semaphore(max_connections)
        self.gate = Gate()
        self.pacer = Pacer(pace)
        url = urlsplit(address)
        self._sdk = AsyncOpenAI(
            api_key=key or "none",
            base_url=url._replace(query="").geturl(),
            default_query=dict(parse_qsl(url.query)),
            max_retries=0,
            http_client=_http(url.hostname, max_connections, transport),
        )
        self._headers: dict[str, str | Omit] = {RAW_RESPONSE_HEADER: "true"}
        if not key:
            self._headers["Authorization"] = Omit()
        elif (url.hostname or "").endswith(".azure.com"):
            self._headers["api-key"] = key
        self._lifetime = self._until_the_loop_ends()

    async def open(self) -> None:
        """Tie the connections to the running loop: they are closed with it at the latest."""
        await anext(self._lifetime)

    async def close(self) -> None:
        await self._lifetime.aclose()

    @asynccontextmanager
    async def slot(self, alone: bool) -> AsyncIterator[None]:
        """A place for one call, once the gate is open; for the one call that keeps it closed (`alone`) at once."""
        while True:
            if not alone:
                await self.gate.passed()
            async with self._slots:
                if alone or self.gate.is_open:
                    yield
                    return

    async def post(self, path: str, body: Mapping[str, Any]) -> "httpx2.Response":
        """Send one call the way the SDK's `with_raw_response` does, at 70 % of its CPU (bench/client.py).

        Tracing sees the call: it wraps `AsyncOpenAI.request`. Raises what the SDK raises.
        """
        from openai.types import CreateEmbeddingResponse
        from openai.types.chat import ChatCompletion

        answer = await self._sdk.post(
            path,
            body=body,
            cast_to=CreateEmbeddingResponse if path == "/embeddings" else ChatCompletion,
            options={"headers": self._headers, "security": {"bearer_auth": True}},
        )
        return cast("LegacyAPIResponse[Any]", answer).http_response

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """`asyncio.run` closes the asynchronous generators that are left, and with this one our connections."""
        try:
            yield
        finally:
            await self._sdk.close()
