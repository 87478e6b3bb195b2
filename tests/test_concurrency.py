import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from flex.concurrency import in_order, run_blocking, with_current_context

WHO: ContextVar[str] = ContextVar("who", default="nobody")


async def collect(items, work, limit):
    return [result async for result in in_order(items, work, limit)]


def test_results_come_in_the_order_of_the_items():
    done = [asyncio.Event() for _ in range(6)]
    done[5].set()

    async def slow_first(n):
        await done[n + 1].wait()
        done[n].set()
        return n

    assert asyncio.run(collect(range(5), slow_first, 5)) == [0, 1, 2, 3, 4]


def test_no_more_than_the_limit_are_under_way():
    under_way = most = 0

    async def work(_):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1

    asyncio.run(collect(range(20), work, 3))
    assert most == 3


def test_a_slow_first_item_does_not_hold_back_the_work():
    others = asyncio.Event()
    finished = []

    async def work(n):
        if n == 0:
            await others.wait()
        finished.append(n)
        if n == 9:
            others.set()

    asyncio.run(asyncio.wait_for(collect(range(10), work, 2), 300))
    assert finished == [*range(1, 10), 0]


def test_the_first_failure_is_raised_at_once_and_ends_the_rest():
    ended = []

    async def work(n):
        try:
            if n == 3:
                raise ValueError("three")
            await asyncio.sleep(60)
        finally:
            ended.append(n)

    with pytest.raises(ValueError, match="three"):
        asyncio.run(collect(range(6), work, 6))
    assert sorted(ended) == [0, 1, 2, 3, 4, 5]


def test_nothing_to_do_is_fine():
    assert asyncio.run(collect([], None, 3)) == []


def test_a_caller_that_is_not_asynchronous_gets_a_result_with_its_context_wherever_it_is():
    async def who() -> str:
        await asyncio.sleep(0)
        return WHO.get()

    async def within_a_loop() -> str:
        WHO.set("within")
        return run_blocking(who)

    assert run_blocking(who) == "nobody"
    assert asyncio.run(within_a_loop()) == "within"


def test_a_function_with_its_context_may_run_many_times_at_once():
    together = threading.Barrier(4, timeout=300)

    def meet() -> str:
        together.wait()
        return WHO.get()

    token = WHO.set("caller")
    try:
        function = with_current_context(meet)
    finally:
        WHO.reset(token)
    with ThreadPoolExecutor(4) as pool:
        assert [call.result() for call in [pool.submit(function) for _ in range(4)]] == ["caller"] * 4
