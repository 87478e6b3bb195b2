"""The one way to an endpoint: a client shared by all roles that paces, retries, counts and speaks every dialect."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from flex.endpoint.calls import A, Call
from flex.endpoint.connection import Connection, find_address, find_key, probe, wrong_protocol
from flex.endpoint.dialects import decode, is_page, parse_reply
from flex.endpoint.failures import (
    NO_CONNECTION,
    NOT_JSON,
    OPTIONAL_PARAMETERS,
    WRONG_PROTOCOL,
    Failure,
    parse_failure,
    shorten,
)
from flex.endpoint.habits import Habits
from flex.endpoint.kept_replies import KeptReplies
from flex.endpoint.messages import response_format
from flex.endpoint.pacing import Pace
from flex.endpoint.standing import Standing
from flex.endpoint.usage import UsageTracker, record_usage
from flex.errors import EndpointError, RunError, SettingsError, TaskRefused
from flex.types import Message, Reply, Usage

if TYPE_CHECKING:
    import httpx2

_log = logging.getLogger("flex.rate_limiter")  # the client's public home

BACKOFF_GROWTH = 2.5
"""0.5, 1.2, 3, 8, 20, 49 s: six retries outlast a provider's minute."""


GLANCE = 1.0
"""Seconds between two looks, while waiting, at whether the run is over."""


class RateLimitedLLMClient:
    """The client of one OpenAI-compatible endpoint, shared by all roles and by the event loops of all threads.

    Settings come from the arguments, then BASE_URL and API_KEY, then OPENAI_BASE_URL and OPENAI_API_KEY; an empty one
    counts as unset, and a local server needs no key. `timeout` is for a whole try, in seconds; `backoff` the first
    wait before a retry. `structured` lets the endpoint keep the schema of a reply that is JSON, where it can.
    Raises SettingsError when there is no usable address or key. Within `async with client` it is the
    `current_client()`.
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
        structured: bool = True,
        backoff: float = 0.5,
        transport: "httpx2.AsyncBaseTransport | None" = None,
    ) -> None:
        self.base_url = find_address(base_url)
        self.requests_per_minute = _limit("requests_per_minute", requests_per_minute)
        self.tokens_per_minute = _limit("tokens_per_minute", tokens_per_minute)
        self.max_connections = max_connections
        self.structured = structured
        self._key = find_key(api_key)
        self._pace = Pace(requests_per_minute, tokens_per_minute)
        self._max_retries = max_retries
        self._timeout = timeout
        self._backoff = backoff
        self._transport = transport
        self._random = random.Random()  # not the global one: a retry must not disturb a seeded run
        self._connections: dict[asyncio.AbstractEventLoop, Connection] = {}
        self._usage = UsageTracker()
        self._habits = Habits(max_retries)
        self._standing = Standing(self.base_url, self._key)
        self._outer: RateLimitedLLMClient | None = None
        self.kept: KeptReplies | None = None
        """Replies that were paid for before; none is asked for again. Set by whoever has a folder for them."""

    @property
    def usage(self) -> dict[str, Usage]:
        """What was spent so far, per role."""
        return self._usage.by_role

    @property
    def usage_by_model(self) -> dict[str, Usage]:
        """What was spent so far, per model."""
        return self._usage.by_model

    @property
    def total(self) -> Usage:
        """What was spent so far by all roles together."""
        return self._usage.total

    @property
    def notes(self) -> list[str]:
        """What changes the meaning of a run and nobody asked for, in the order in which it was met, each once.

        One line a model and fact: a parameter that it refuses and is asked without, a system prompt that goes into the
        first question, a prompt that its server cuts. Whoever ends a run shows them and writes them down.
        """
        return list(self._habits.notes)

    async def complete(
        self,
        model: str,
        messages: Sequence[Message],
        *,
        role: str = "",
        stop: Sequence[str] | None = None,
        schema: Mapping[str, Any] | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Ask for one reply, trying again as long as that makes sense.

        `schema` is the JSON schema that it is to keep, as far as the endpoint can see to that.

        Raises EndpointUnusable for what concerns every call (account, key, model, address, a refused option that we
        cannot do without), TaskRefused when the endpoint refuses this one, EndpointError when it fails for good.
        """
        options = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": list(stop) if stop else None,
            "reasoning_effort": reasoning_effort,
            "response_format": response_format(schema) if schema and self.structured else None,
            **(extra_body or {}),
        }
        question = self.kept.question(model, messages, options) if self.kept else None
        if self.kept and question and (known := self.kept.find(question)):
            record_usage(role, model, known.usage)  # what the answer cost, though not now
            return known
        call = Call(
            role,
            model,
            "/chat/completions",
            {"messages": self._habits.messages(model, messages)},
            {name: value for name, value in options.items() if value is not None},
            characters=sum(len(message.get("content") or "") for message in messages),
            read=lambda body, _: parse_reply(body, stop or ()),
        )
        try:
            outcome: Reply | EndpointError = await self.ask(call)
        except EndpointError as error:
            outcome = error
        if self.kept and question:
            self.kept.keep(question, role, model, outcome)
        if isinstance(outcome, EndpointError):
            raise outcome
        return outcome

    async def ask(self, call: Call[A]) -> A:
        """Ask for one answer of any kind; raises as `complete` does, and RunError in a replay, which asks nobody."""
        if self.kept and self.kept.replay:
            folder = self.kept.path.parent
            raise RunError(f"{folder} cannot be replayed: it kept nothing of {call}, and in a replay nobody is asked")
        self._check_size(call)
        retries, answers = 0, self._standing.answers
        gate = (await self._connection_here()).gate
        leads = self._standing.untried and gate.lead()
        spent = Usage(calls=1)
        try:
            while True:
                self._standing.check()
                sent = self._habits.accepted(call)
                outcome = await self._try(call, sent, alone=leads)
                if isinstance(outcome, Failure):
                    if refused := outcome.refused(sent):
                        self._learn(call, refused, sent[refused], outcome)
                        continue
                    if reshaped := self._habits.reshaped(call, outcome, self._standing.words(outcome)):
                        call = reshaped
                        continue
                    outcome, more = await self._doubted(call, sent, outcome)
                    spent += Usage(retries=more)
                if isinstance(outcome, Failure):
                    if not self._standing.retries(call, outcome) or retries >= self._max_retries:
                        raise self._standing.error(call, outcome, retries, answers)
                else:
                    spent += replace(self._habits.counted(call, outcome), calls=0)
                    self._standing.answer(call.model)
                    self._habits.answered(call, sent, outcome.usage)
                    if self._habits.is_settled(call, outcome, retries):
                        return replace(outcome, usage=spent)
                    # A server may stop at a sequence amid the thinking; it is cut here anyway.
                    call = call.without("stop", "response_format")
                    outcome = Failure(200, "a reply that holds nothing")
                await self._pause(call, outcome, retries)
                retries += 1
                spent += Usage(retries=1)
        finally:
            if leads:
                gate.end_lead()
            self._usage.add(call.role, call.model, spent)
            record_usage(call.role, call.model, spent)

    async def _doubted(self, call: Call[A], sent: Mapping[str, Any], failure: Failure) -> tuple[A | Failure, int]:
        """A failure, or what comes of asking again where it would end the run; how often that was.

        One call asks on behalf of all. Raises EndpointUnusable once the failure is believed.
        """
        if not (doubts := self._standing.doubts(call, failure)):
            return failure, 0
        connection = await self._connection_here()
        async with connection.gate.closed():
            for asked in range(doubts):
                await self._pause(call, failure, asked)
                self._standing.check()
                outcome = await self._try(call, sent, alone=True)
                if not isinstance(outcome, Failure) or not self._standing.doubts(call, outcome):
                    return outcome, asked + 1
                failure = outcome
            raise self._standing.error(call, failure, 0, self._standing.answers)

    def _check_size(self, call: Call[A]) -> None:
        """Raises SettingsError, or TaskRefused once others got through, for a prompt above the limit of a minute."""
        window = self._pace.window
        if (size := window.prompt_tokens(call.characters)) > window.limit:
            kind = TaskRefused if self._standing.answers else SettingsError
            raise kind(f"a prompt of about {size} tokens never fits into tokens_per_minute {window.limit}; raise it")

    async def _try(self, call: Call[A], sent: Mapping[str, Any], alone: bool = False) -> A | Failure:
        """Send once: take a slot, wait for the pace, then go. The slot is free again when this returns.

        `alone` is for the one call that goes while all others wait.
        """
        connection = await self._connection_here()
        limit = (sent.get("max_tokens") or sent.get("max_completion_tokens")) if call.completes else 0
        async with connection.slot(alone):
            reservation = await connection.pacer.admit(call.characters, limit)
            if self._standing.ended:
                connection.pacer.settle(reservation, Usage())
            self._standing.check()
            outcome = await self._send(connection, call, sent)
        if isinstance(outcome, Failure):
            if outcome.status >= 400:
                connection.pacer.settle(reservation, Usage())
        elif outcome.usage.tokens:
            connection.pacer.settle(reservation, outcome.usage)
        return outcome

    async def _send(self, connection: Connection, call: Call[A], sent: Mapping[str, Any]) -> A | Failure:
        import httpx2
        import openai

        try:
            async with asyncio.timeout(self._timeout):
                answer = await connection.post(call.path, {"model": call.model, **call.content, **sent})
        except openai.APIStatusError as error:
            return parse_failure(error.status_code, error.body, error.response.headers)
        except (openai.APITimeoutError, TimeoutError):
            return Failure(0, f"no answer within {self._timeout:g} s")
        except openai.APIConnectionError as error:
            if wrong := wrong_protocol(error):
                return Failure(0, wrong, WRONG_PROTOCOL)
            code = NO_CONNECTION if isinstance(error.__cause__, httpx2.ConnectError) else ""
            return Failure(0, f"no connection ({shorten(error.__cause__ or error, 120)})", code)
        try:
            return call.read(decode(answer.content, answer.text), sent)
        except ValueError:
            code = NOT_JSON if is_page(answer.content) else ""
            return Failure(200, f"a reply that is not JSON: {shorten(answer.text, 80)}", code)

    def _learn(self, call: Call[A], name: str, value: Any, failure: Failure) -> None:
        """Remember a parameter that the model refuses. Raises EndpointUnusable when we cannot do without it."""
        reason = self._standing.words(failure)
        if name not in OPTIONAL_PARAMETERS:
            raise self._standing.end(f"{call} refuses {name}={value!r} ({reason}); leave it out")
        self._habits.refuse(call, name, value, reason)

    async def _pause(self, call: Call[A], failure: Failure, retries: int) -> None:
        """Wait before the next try: as long as the endpoint asks, else longer every time; never all at once."""
        wait = self._backoff * BACKOFF_GROWTH**retries if failure.wait is None else failure.wait
        wait *= self._random.uniform(1, 1.2)
        _log.info("%s: %s; trying again in %.1f s", call, self._standing.words(failure), wait)
        now = asyncio.get_running_loop().time
        until = now() + wait
        while not self._standing.ended and (left := until - now()) > 0:
            await asyncio.sleep(min(left, GLANCE))

    async def check(self) -> None:
        """See whether anybody listens at the address, without paying for a call.

        Raises SettingsError when the connection is refused or the host is unknown.
        """
        if self._transport is None:
            await probe(self.base_url)

    def end(self, why: str) -> None:
        """Send no further call of the run that is under way, but raise EndpointUnusable; those in flight end."""
        self._standing.end(why)

    async def close(self) -> None:
        """Close the connections of the running event loop; the next call opens new ones."""
        if connection := self._connections.pop(asyncio.get_running_loop(), None):
            await connection.close()

    async def __aenter__(self) -> Self:
        self._outer = _current.get()
        _current.set(self)
        self._standing.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        _current.set(self._outer)
        self._standing.close()
        await self.close()

    async def _connection_here(self) -> Connection:
        """The connections of the running event loop."""
        loop = asyncio.get_running_loop()
        if (connection := self._connections.get(loop)) is None:
            for ended in [other for other in list(self._connections) if other.is_closed()]:
                self._connections.pop(ended, None)
            connection = Connection(self.base_url, self._key, self.max_connections, self._pace, self._transport)
            self._connections[loop] = connection
            await connection.open()
        return connection


_current: ContextVar[RateLimitedLLMClient | None] = ContextVar("flex_client", default=None)


def current_client() -> RateLimitedLLMClient | None:
    """The client of the run that is under way here, for what is asked deep inside it: the vectors of a library."""
    return _current.get()


def _limit(name: str, value: float | None) -> float | None:
    if value is not None and not value > 0:
        raise SettingsError(f"{name} has to be above zero, not {value}; leave it out for no limit")
    return value
