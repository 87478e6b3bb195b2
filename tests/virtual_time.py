"""Minutes of an event loop in no time: its clock stands still while there is work and jumps to the next timer.

clock = VirtualClock()
clock.run(asyncio.sleep(60))
assert clock.now == 60
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualClock:
    """Time passes only by waiting; several loops may follow each other on one clock.

    With a `random` every waker comes late: by up to 2 ms, now and then by 0.3 s. No sockets are waited for (take
    `httpx2.MockTransport`), and what is given to threads is done at once.
    """

    def __init__(self, late: random.Random | None = None) -> None:
        self.now = 0.0
        self.late = late

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `asyncio.run`."""
        loop = asyncio.SelectorEventLoop(_JumpingSelector(self))
        loop.time = lambda: self.now
        loop.set_default_executor(_AtOnce())
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(work)


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout=None):
        if timeout is None:  # the end of the executor is waited for in a thread
            ready = super().select(10)
            assert ready, "everybody waits, and for no timer"
            return ready
        if timeout > 0:
            self._clock.now += timeout + self._lateness()
        return super().select(0)

    def _lateness(self) -> float:
        if (late := self._clock.late) is None:
            return 0.0
        return 0.3 if late.random() < 0.001 else 0.002 * late.random()


class _AtOnce(ThreadPoolExecutor):
    def submit(self, function: Callable[..., T], /, *args: Any, **options: Any) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(function(*args, **options))
        return done
