"""Where calls wait while one of them finds out on behalf of all whether there is use in asking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HEAD_START = 2.0
"""Seconds that the first call of a run goes ahead of all others: who is refused is refused once."""


class Gate:
    """Open, unless one call finds out on behalf of all whether there is use in asking on: then the others wait."""

    def __init__(self) -> None:
        self._finding_out = asyncio.Lock()
        self._open = asyncio.Event()
        self._open.set()
        self._led = False

    def lead(self) -> bool:
        """Whether a call is the first; the others wait until it has ended, or for as long as a refusal takes."""
        if self._led:
            return False
        self._led = True
        self._open.clear()
        asyncio.get_running_loop().call_later(HEAD_START, self._open.set)
        return True

    def end_lead(self) -> None:
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    async def passed(self) -> None:
        await self._open.wait()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Keep the others waiting, one caller at a time."""
        async with self._finding_out:
            self._open.clear()
            try:
                yield
            finally:
                self._open.set()
