"""Many things under way at once, results in order."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(items: Sequence[T], work: Callable[[T], Awaitable[R]], limit: int) -> AsyncGenerator[R]:
    """Results of `work(item)` in the order of the items, up to `limit` of them under way at once.

    A slow item holds back the results behind it, not the work. The first exception cancels what is still under way;
    results that were there before it come first.
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
