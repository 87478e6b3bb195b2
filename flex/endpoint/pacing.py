"""How fast calls may leave: requests and tokens per minute, never more and hardly less."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flex.types import Message, Usage

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

PERIOD = 60.0
"""Seconds of the window that providers count in."""
SLACK = 1 / 60
"""How much later, as a part of the period, one request may reach the endpoint than another that left with it."""
LATENESS = 1 / 120
"""How long, as a part of the period, the event loop may be busy without costing throughput."""


def request_limiter(requests_per_minute: float, period: float = PERIOD) -> "AsyncLimiter":
    """A bucket that lets at most the limit through in any closed window, and 97.5 % of it when there is enough to do.

    A bucket of b that leaks r a second lets at most floor(b + r T) through in T seconds. With T the period plus the
    slack, b + r T stays just below limit + 1; b > 1 makes up for wakers that come late.
    """
    from aiolimiter import AsyncLimiter

    limit = math.floor(requests_per_minute) if requests_per_minute >= 1 else requests_per_minute
    burst = 1 + limit * LATENESS
    rate = (limit + 1 - burst) / (period * (1 + SLACK)) * (1 - 1e-6)
    return AsyncLimiter(burst, burst / rate)


@dataclass(slots=True)
class Spent:
    """Tokens of one call: an estimate until its reply settles it."""

    characters: int
    tokens: int
    time: float = 0.0


@dataclass(slots=True)
class TokenLedger:
    """What the calls of the last period cost: estimated before, corrected after."""

    limit: float
    period: float = PERIOD
    _entries: deque[Spent] = field(default_factory=deque)
    _held: int = 0
    _seen: Usage = field(default_factory=Usage)
    _characters: int = 0

    def estimate(self, messages: Sequence[Message], max_tokens: int | None) -> Spent:
        """What a call will cost, by its characters (4 a token until we know better) and the mean completion."""
        completion = self._seen.completion_tokens / self._seen.calls if self._seen.calls else max_tokens or 500
        completion = math.ceil(min(completion, max_tokens or completion))
        return Spent(_characters(messages), self.prompt_tokens(messages) + completion)

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """The part of it that is certain: what the prompt alone will cost."""
        per_character = self._seen.prompt_tokens / self._characters if self._characters else 1 / 4
        return math.ceil(_characters(messages) * per_character)

    def wait(self, tokens: int) -> float:
        """Seconds until so many tokens fit; a call larger than the limit waits for an empty window, then goes alone."""
        now, span = time.monotonic(), self.period * (1 + SLACK)
        while self._entries and self._entries[0].time + span <= now:
            self._held -= self._entries.popleft().tokens
        held = self._held
        if held <= 0 or held + tokens <= self.limit:
            return 0
        for entry in self._entries:
            held -= entry.tokens
            if held <= 0 or held + tokens <= self.limit:
                return max(entry.time + span - now, 1e-3)
        return 0

    def add(self, spent: Spent) -> None:
        spent.time = time.monotonic()
        self._entries.append(spent)
        self._held += spent.tokens

    def settle(self, spent: Spent, tokens: int) -> None:
        """Replace the estimate by what the call really cost; what has left the window no longer counts."""
        if spent.time + self.period * (1 + SLACK) > time.monotonic():
            self._held += tokens - spent.tokens
            spent.tokens = tokens

    def learn(self, spent: Spent, usage: Usage) -> None:
        """Estimate better from now on."""
        self._characters += spent.characters
        self._seen += usage


def _characters(messages: Sequence[Message]) -> int:
    return sum(len(message.get("content") or "") for message in messages)


class Pacer:
    """Lets calls leave at the pace of the limits, first come, first served; belongs to one event loop.

    `resumed` says that calls left before in another loop: the first ones then get no burst. None means no limit.
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        ledger: TokenLedger | None = None,
        *,
        period: float = PERIOD,
        resumed: bool = False,
    ) -> None:
        self._limiter = request_limiter(requests_per_minute, period) if requests_per_minute else None
        self._resumed = resumed
        self._ledger = ledger
        self._turn = asyncio.Lock()
        self._refund = asyncio.Event()

    async def admit(self, messages: Sequence[Message], max_tokens: int | None = None) -> Spent | None:
        """Wait until this call may leave. What is returned goes back to `settle`."""
        spent = await self._reserve(messages, max_tokens)
        try:
            await self._acquire()
        except asyncio.CancelledError:
            self.settle(spent, Usage())
            raise
        return spent

    def settle(self, spent: Spent | None, usage: Usage | None) -> None:
        """Correct the ledger: what the call cost, nothing when it was refused, None when the reply does not say."""
        if spent is None or self._ledger is None or usage is None:
            return
        if usage.tokens < spent.tokens:
            self._refund.set()
        self._ledger.settle(spent, usage.tokens)
        if usage.tokens:
            self._ledger.learn(spent, usage)

    async def _reserve(self, messages: Sequence[Message], max_tokens: int | None) -> Spent | None:
        if self._ledger is None:
            return None
        async with self._turn:
            spent = self._ledger.estimate(messages, max_tokens)
            while seconds := self._ledger.wait(spent.tokens):
                self._refund.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._refund.wait()
            self._ledger.add(spent)
        return spent

    async def _acquire(self) -> None:
        if self._limiter is None:
            return
        if self._resumed:
            self._resumed = False
            await self._limiter.acquire(self._limiter.max_rate)  # an empty bucket never waits
        await self._limiter.acquire()
