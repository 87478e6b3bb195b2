"""How fast calls may leave: requests and tokens per minute, never more and hardly less.

Nothing here belongs to an event loop: loops in several threads may share a pace, and one after the other gets no burst
of its own.
"""

import asyncio
import math
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from flex.types import Usage

SPAN = 61.0
"""Seconds: the minute that providers count in, and by how much one request may be slower than another."""
LATENESS = 1 / 120
"""How long, as a part of a minute, the event loop may be busy without costing throughput."""


class RequestBucket:
    """Lets at most the limit through in any closed window, and 97.5 % of it when there is enough to do.

    A bucket of b that leaks r a second lets at most floor(b + r T) through in T seconds. With T = SPAN,
    b + r T stays just below limit + 1; b > 1 makes up for wakers that come late.
    """

    def __init__(self, requests_per_minute: float) -> None:
        limit = math.floor(requests_per_minute) if requests_per_minute >= 1 else requests_per_minute
        self.burst = 1 + limit * LATENESS
        self.rate = (limit + 1 - self.burst) / SPAN * (1 - 1e-6)
        self._level = 0.0
        self._time = 0.0

    def take(self, now: float) -> float:
        """Take a place for one request: 0 when there is one, else the seconds to wait before asking again."""
        level = max(0.0, self._level - (now - self._time) * self.rate)
        if level + 1 > self.burst:
            return max((level + 1 - self.burst) / self.rate, 1e-3)
        self._level, self._time = level + 1, now
        return 0.0


@dataclass(slots=True)
class Reservation:
    """Tokens of one call: an estimate until its reply settles it."""

    characters: int
    tokens: int
    completes: bool = True
    """Whether a completion is to come, from which later estimates learn."""
    time: float = 0.0


@dataclass(slots=True)
class TokenWindow:
    """What the calls of the last period cost: estimated before, corrected after."""

    limit: float
    _entries: deque[Reservation] = field(default_factory=deque)
    _held: int = 0
    _seen: Usage = field(default_factory=Usage)
    _characters: int = 0

    def estimate(self, characters: int, max_tokens: int | None) -> Reservation:
        """What a call will cost, by its characters (4 a token until we know better) and the mean completion."""
        if max_tokens == 0:
            return Reservation(characters, self.prompt_tokens(characters), completes=False)
        completion = self._seen.completion_tokens / self._seen.calls if self._seen.calls else max_tokens or 500
        completion = math.ceil(min(completion, max_tokens or completion))
        return Reservation(characters, self.prompt_tokens(characters) + completion)

    def prompt_tokens(self, characters: int) -> int:
        """The part of it that is certain: what the prompt alone will cost."""
        per_character = self._seen.prompt_tokens / self._characters if self._characters else 1 / 4
        return math.ceil(characters * per_character)

    def wait(self, tokens: int, now: float) -> float:
        """Seconds until so many tokens fit; a call larger than the limit waits for an empty window, then goes alone."""
        while self._entries and self._entries[0].time + SPAN <= now:
            self._held -= self._entries.popleft().tokens
        held = self._held
        if held <= 0 or held + tokens <= self.limit:
            return 0
        for entry in self._entries:
            held -= entry.tokens
            if held <= 0 or held + tokens <= self.limit:
                return max(entry.time + SPAN - now, 1e-3)
        return 0

    def add(self, reservation: Reservation, now: float) -> None:
        reservation.time = now
        self._entries.append(reservation)
        self._held += reservation.tokens

    def settle(self, reservation: Reservation, tokens: int, now: float) -> None:
        """Replace the estimate by what the call really cost; what has left the window no longer counts."""
        if reservation.time + SPAN > now:
            self._held += tokens - reservation.tokens
            reservation.tokens = tokens

    def learn(self, reservation: Reservation, usage: Usage) -> None:
        """Estimate better from now on."""
        self._characters += reservation.characters
        self._seen += usage


class Pace:
    """The limits of an endpoint, shared by the event loops of all threads; None means no limit."""

    def __init__(self, requests_per_minute: float | None = None, tokens_per_minute: int | None = None) -> None:
        self.window = TokenWindow(tokens_per_minute or math.inf)
        self._bucket = RequestBucket(requests_per_minute) if requests_per_minute else None
        self._lock = Lock()

    def reserve(self, characters: int, max_tokens: int | None, now: float) -> tuple[Reservation, float]:
        """The tokens of a call, and 0 when it may leave now, else the seconds to wait before asking again."""
        with self._lock:
            reservation = self.window.estimate(characters, max_tokens)
            seconds = self.window.wait(reservation.tokens, now)
            if not seconds and self._bucket:
                seconds = self._bucket.take(now)
            if not seconds:
                self.window.add(reservation, now)
            return reservation, seconds

    def settle(self, reservation: Reservation, usage: Usage, now: float) -> None:
        with self._lock:
            self.window.settle(reservation, usage.tokens, now)
            if usage.tokens and reservation.completes:
                self.window.learn(reservation, usage)


class Pacer:
    """Lets the calls of one event loop leave at a pace, first come, first served."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._refund = asyncio.Event()

    async def admit(self, characters: int, max_tokens: int | None = None) -> Reservation:
        """Wait until a call may leave whose prompt has so many characters. What is returned goes back to `settle`.

        `max_tokens` 0 is for calls that complete nothing.
        """
        async with self._turn:
            while True:
                self._refund.clear()
                reservation, seconds = self._pace.reserve(characters, max_tokens, self._loop.time())
                if not seconds:
                    return reservation
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._refund.wait()

    def settle(self, reservation: Reservation, usage: Usage) -> None:
        """Correct the window: what the call cost, nothing when it was refused."""
        if usage.tokens < reservation.tokens:
            self._refund.set()
        self._pace.settle(reservation, usage, self._loop.time())
