"""The one way to an endpoint: a client shared by all roles that paces, retries, counts and speaks every dialect."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from flex.endpoint.connection import Connection, find_address, find_key, probe, shown, wrong_protocol
from flex.endpoint.dialects import (
    DISPENSABLE,
    NOT_JSON,
    WRONG_PROTOCOL,
    Failure,
    decode,
    is_page,
    parse_failure,
    parse_reply,
    shorten,
)
from flex.endpoint.pacing import Pacer, TokenLedger
from flex.endpoint.usage import charge
from flex.errors import EndpointError, FlexError, SettingsError
from flex.types import Message, Reply, Usage

if TYPE_CHECKING:
    import httpx2

_log = logging.getLogger(__name__)

BACKOFF_GROWTH = 2.5
"""0.5, 1.2, 3, 8, 20, 49 s: six retries outlast a provider's minute."""


class RateLimitedLLMClient:
    """The client of one OpenAI-compatible endpoint, shared by all roles; used from one event loop at a time.

    Settings come from the arguments, then BASE_URL and API_KEY, then OPENAI_BASE_URL and OPENAI_API_KEY; an empty one
    counts as unset, and a local server needs no key. `timeout` is for a whole try, in seconds; `backoff` the first
    wait before a retry. Raises SettingsError when there is no usable address or key.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: int | None = None,
        max_connections: int = 100,
        max_retries: int = 6,
        timeout: float = 600,
        backoff: float = 0.5,
        transport: "httpx2.AsyncBaseTransport | None" = None,
    ) -> None:
        self.base_url = find_address(base_url)
        self.requests_per_minute = _limit("requests_per_minute", requests_per_minute)
        tokens = _limit("tokens_per_minute", tokens_per_minute)
        self.max_connections = max_connections
        self._key = find_key(api_key)
        self._ledger = TokenLedger(tokens) if tokens else None
        self._max_retries = max_retries
        self._timeout = timeout
        self._backoff = backoff
        self._transport = transport
        self._random = random.Random()  # not the global one: a retry must not disturb a seeded run
        self._session: _Session | None = None
        self._resumed = False
        self._usage: dict[str, Usage] = {}
        self._refused: dict[str, set[str]] = {}
        self._answered: set[str] = set()

    @property
    def usage(self) -> Mapping[str, Usage]:
        """What was spent so far, per role."""
        return MappingProxyType(self._usage)

    @property
    def total(self) -> Usage:
        """What was spent so far by all roles together."""
        return sum(self._usage.values(), Usage())

    async def complete(
        self,
        model: str,
        messages: Sequence[Message],
        *,
        role: str = "",
        stop: Sequence[str] | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Ask for one reply, trying again as long as that makes sense.

        Raises SettingsError for what only the person running this can mend (key, model, address, a refused option of
        theirs), EndpointError when the endpoint fails for good.
        """
        options = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": list(stop) if stop else None,
            "reasoning_effort": reasoning_effort,
            **(extra_body or {}),
        }
        options = {name: value for name, value in options.items() if value is not None}
        self._check_size(messages)
        retries = 0
        spent = Usage(calls=1)
        try:
            while True:
                sent = self._accepted(model, options)
                outcome = await self._try(model, messages, sent, list(stop or ()) if "stop" not in sent else [])
                if isinstance(outcome, Reply):
                    spent = outcome.usage + Usage(retries=retries)
                    self._answered.add(model)
                    return Reply(outcome.text, outcome.reasoning, spent, outcome.finish_reason)
                if refused := outcome.refused(sent):
                    self._learn(model, refused, sent[refused], outcome)
                    continue
                if not self._worth_another_try(model, outcome) or retries >= self._max_retries:
                    raise self._error(model, outcome, retries)
                await self._pause(model, outcome, retries)
                retries += 1
                spent = Usage(calls=1, retries=retries)
        finally:
            self._usage[role] = self._usage.get(role, Usage()) + spent
            charge(role, spent)

    def _check_size(self, messages: Sequence[Message]) -> None:
        """Raises SettingsError, or EndpointError once others got through, for a prompt above the limit of a minute."""
        if self._ledger is None or (size := self._ledger.prompt_tokens(messages)) <= self._ledger.limit:
            return
        kind = EndpointError if self._answered else SettingsError
        raise kind(f"a prompt of about {size} tokens never fits into tokens_per_minute {self._ledger.limit}; raise it")

    async def _try(
        self, model: str, messages: Sequence[Message], sent: Mapping[str, Any], cut: list[str]
    ) -> Reply | Failure:
        """Send once: take a slot, wait for the pace, then go. The slot is free again when this returns."""
        session = await self._session_here()
        async with session.slots:
            spent = await session.pacer.admit(messages, sent.get("max_tokens") or sent.get("max_completion_tokens"))
            outcome = await self._send(session.connection, {"model": model, "messages": messages, **sent}, cut)
        if isinstance(outcome, Reply):
            session.pacer.settle(spent, outcome.usage if outcome.usage.tokens else None)
        elif outcome.status >= 400:
            session.pacer.settle(spent, Usage())
        return outcome

    async def _send(self, connection: Connection, body: Mapping[str, Any], cut: list[str]) -> Reply | Failure:
        import openai

        try:
            async with asyncio.timeout(self._timeout):
                answer = await connection.post(body)
        except openai.APIStatusError as error:
            return parse_failure(error.status_code, error.body, error.response.headers)
        except (openai.APITimeoutError, TimeoutError):
            return Failure(0, f"no answer within {self._timeout:g} s")
        except openai.APIConnectionError as error:
            if wrong := wrong_protocol(error):
                return Failure(0, wrong, WRONG_PROTOCOL)
            return Failure(0, f"no connection ({shorten(error.__cause__ or error, 120)})")
        try:
            return parse_reply(decode(answer.content, answer.text), cut)
        except ValueError:
            code = NOT_JSON if is_page(answer.content) else ""
            return Failure(200, f"a reply that is not JSON: {shorten(answer.text, 80)}", code)

    def _accepted(self, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options without what this model refused before; max_tokens under the name that it takes."""
        refused = self._refused.get(model, set())
        sent = dict(options)
        if "max_tokens" in refused and "max_tokens" in sent:
            sent.setdefault("max_completion_tokens", sent["max_tokens"])
        return {name: value for name, value in sent.items() if name not in refused}

    def _learn(self, model: str, name: str, value: Any, failure: Failure) -> None:
        """Remember a parameter that the model refuses. Raises SettingsError when we cannot do without it."""
        if name not in DISPENSABLE:
            raise SettingsError(f"model '{model}' refuses {name}={value!r} ({self._shown(failure)}); leave it out")
        refused = self._refused.setdefault(model, set())
        if name not in refused:
            refused.add(name)
            _log.warning("model '%s' refuses %s, going on without it: %s", model, name, self._shown(failure))

    async def _pause(self, model: str, failure: Failure, retries: int) -> None:
        """Wait before the next try: as long as the endpoint asks, else longer every time; never all at once."""
        wait = self._backoff * BACKOFF_GROWTH**retries if failure.wait is None else failure.wait
        wait *= self._random.uniform(1, 1.2)
        _log.info("model '%s': %s; trying again in %.1f s", model, self._shown(failure), wait)
        await asyncio.sleep(wait)

    def _worth_another_try(self, model: str, failure: Failure) -> bool:
        """A page instead of JSON is a hiccup from an endpoint that has answered before, else a wrong address."""
        return failure.retryable and (failure.code not in (NOT_JSON, WRONG_PROTOCOL) or model in self._answered)

    def _error(self, model: str, failure: Failure, retries: int) -> FlexError:
        """What to tell the person running this."""
        url, said, known = shown(self.base_url), self._shown(failure), model in self._answered
        if failure.no_such_key or (failure.status == 403 and not known):
            hint = "check API_KEY" if self._key else "no API key is set: export API_KEY=..."
            return SettingsError(f"{url} refused the API key ({said}); {hint}")
        if failure.no_such_model and not known:
            hint = "check the model's name, and that BASE_URL is right (most end in /v1)"
            return SettingsError(f"no model '{model}' at {url} ({said}); {hint}")
        if failure.code == WRONG_PROTOCOL and not known:
            return SettingsError(f"{url} {said}; check BASE_URL")
        if failure.code == NOT_JSON and not known:
            hint = "does not look like an OpenAI-compatible endpoint; does BASE_URL end in /v1?"
            return SettingsError(f"{url} {hint} ({said})")
        tries = f" (after {retries} retries)" if retries else ""
        return EndpointError(f"{url}, model '{model}': {said}{tries}")

    def _shown(self, failure: Failure) -> str:
        """A failure in words that may be shown: without the key, wherever an endpoint repeats it."""
        said = str(failure)
        return shorten(said.replace(self._key, "***") if self._key else said)

    async def check(self) -> None:
        """See whether anybody listens at the address, without paying for a call.

        Raises SettingsError when the connection is refused or the host is unknown.
        """
        if self._transport is None:
            await probe(self.base_url)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        session, self._session = self._session, None
        self._resumed = self._resumed or session is not None
        if session is not None and session.loop is asyncio.get_running_loop():
            await session.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _session_here(self) -> "_Session":
        """What belongs to the running event loop; made anew when the loop is another one."""
        if self._session is not None and self._session.loop is asyncio.get_running_loop():
            return self._session
        connection = Connection(self.base_url, self._key, self.max_connections, self._transport)
        pacer = Pacer(self.requests_per_minute, self._ledger, resumed=self._resumed)
        slots = asyncio.Semaphore(self.max_connections)
        self._session = _Session(asyncio.get_running_loop(), connection, slots, pacer)
        self._resumed = True
        await connection.open()
        return self._session


@dataclass(frozen=True)
class _Session:
    """What belongs to one event loop: connections, slots and pace."""

    loop: asyncio.AbstractEventLoop
    connection: Connection
    slots: asyncio.Semaphore
    pacer: Pacer


class ChatModel:
    """A model of the endpoint in one role (a `flex.types.Model`), with the role's sampling options.

    Without a client, one is made from the environment at the first call.
    """

    def __init__(
        self,
        name: str,
        client: RateLimitedLLMClient | None = None,
        *,
        role: str = "",
        temperature: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.role = role
        self._client = client
        self._options: dict[str, Any] = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "reasoning_effort": reasoning_effort,
            "extra_body": extra_body,
        }

    @property
    def client(self) -> RateLimitedLLMClient:
        """The client behind it. Raises SettingsError when it has to be made and there are no settings."""
        if self._client is None:
            self._client = RateLimitedLLMClient()
        return self._client

    def bound(self, client: RateLimitedLLMClient) -> "ChatModel":
        """The same model, reached through this client."""
        return ChatModel(self.name, client, role=self.role, **self._options)

    async def complete(self, messages: Sequence[Message], *, stop: Sequence[str] | None = None) -> Reply:
        """Ask for one reply; raises as `RateLimitedLLMClient.complete` does."""
        return await self.client.complete(self.name, messages, role=self.role, stop=stop, **self._options)


def _limit(name: str, value: float | None) -> float | None:
    if value is not None and not value > 0:
        raise SettingsError(f"{name} has to be above zero, not {value}; leave it out for no limit")
    return value
