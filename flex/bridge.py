"""From an agent's thread back to the event loop, without leaving a thread behind when the run is cancelled."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


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
    """An event loop in a thread of its own, for callers that have none (a notebook cell, somebody's agent)."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="flex-loop", daemon=True).start()
        self._bridge = Bridge(self._loop)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._bridge.call(coroutine)

    def close(self) -> None:
        self._bridge.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
