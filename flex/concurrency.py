"""Many tasks at once: results in order, a stop request, and calls from a thread to the event loop."""

import asyncio
import concurrent.futures
import contextvars
import functools
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
INTERRUPTED = "Ctrl-C"
INTERRUPTS = {"SIGINT": INTERRUPTED, "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP"}
"""The signals that interrupt a run, and how they are named: a person, a scheduler, a terminal that was closed."""


async def in_order(items: Sequence[T], work: Callable[[T], Awaitable[R]], limit: int) -> AsyncGenerator[R]:
    """Results of `work(item)` in the order of the items, up to `limit` of them at work at once.

    A slow item delays the results after it, not their work. The first exception cancels all work that goes on;
    results that came before it are yielded first.
    """
    slots = asyncio.Semaphore(limit)

    async def slotted(item: T) -> R:
        async with slots:
            return await work(item)

    pending = [asyncio.create_task(slotted(item)) for item in items]
    everything: asyncio.Future[list[R]] = asyncio.gather(*pending)  # done as soon as one of them fails
    try:
        for task in pending:
            waited: list[asyncio.Future[Any]] = [task, everything]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() or task.exception():
                await everything
            yield task.result()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(everything, *pending, return_exceptions=True)


class Stop:
    """A stop request that loops check between tasks: nothing new is begun, what is under way ends and is kept.

    An interrupt is heard between calls already: those in flight end, no other goes out.
    """

    def __init__(self, *watches: Callable[[], str | None]) -> None:
        self._watches = list(watches)
        self._reason: str | None = None
        self._interrupt: str | None = None
        self._callers: list[Callable[[str], object]] = []

    def watch(self, why: Callable[[], str | None]) -> None:
        """Something further to ask, such as a budget: why to stop, or None."""
        self._watches.append(why)

    def request(self, reason: str) -> None:
        """Ask the loops to stop; the first reason counts."""
        self._reason = self._reason or reason

    def interrupt(self, reason: str = INTERRUPTED) -> None:
        """Ask the loops, and whoever makes calls, to stop."""
        self._interrupt = reason
        self.request(reason)
        for end in self._callers:
            end(reason)

    def when_interrupted(self, end: Callable[[str], object]) -> None:
        """Tell a caller, such as a client, that no call is wanted any more; `end` gets the reason."""
        self._callers.append(end)
        if self._interrupt is not None:
            end(self._interrupt)

    def within(self) -> "Stop":
        """A stop for a part of the work: it has reasons of its own and hears those of the whole."""
        part = Stop(lambda: self.reason)
        self.when_interrupted(part.interrupt)
        return part

    @property
    def reason(self) -> str | None:
        """Why no further task is to be begun; None as long as there is no request."""
        if self._reason is None:
            self._reason = next(filter(None, (why() for why in self._watches)), None)
        return self._reason


def run_blocking(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The coroutine's result, for a caller that is not asynchronous; a loop may be running in its thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(with_current_context(lambda: asyncio.run(work()))).result()


def with_current_context(function: Callable[P, R]) -> Callable[P, R]:
    """The function as it is to be run in another thread: what it spends and traces belongs to the caller's task.

    The way back, `asyncio.run_coroutine_threadsafe`, carries the context by itself.
    """
    context = contextvars.copy_context()

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        # A copy, since a context can be entered only once at a time and the function may run several times.
        return context.copy().run(function, *args, **kwargs)

    return run


class Bridge:
    """Runs coroutines on a loop for callers in other threads; `close` wakes every caller that still waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: set[concurrent.futures.Future[Any]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result. Raises CancelledError when the bridge is closed before or meanwhile."""
        with self._lock:
            if self._closed:
                coroutine.close()
                raise concurrent.futures.CancelledError
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._waiting.add(future)
        try:
            return future.result()
        finally:
            with self._lock:
                self._waiting.discard(future)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
        for future in waiting:
            future.cancel()


class LoopThread:
    """An event loop in its own thread, for callers that have none (a notebook cell, somebody's agent)."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="flex-loop", daemon=True).start()
        self._bridge = Bridge(self._loop)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._bridge.call(coroutine)

    def close(self) -> None:
        self._bridge.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
