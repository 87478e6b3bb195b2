import asyncio

import pytest

from flex.concurrency import in_order


async def collect(items, work, limit):
    return [result async for result in in_order(items, work, limit)]


def test_results_come_in_the_order_of_the_items():
    async def slow_first(n):
        await asyncio.sleep(0.01 * (5 - n))
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
    finished = []

    async def work(n):
        await asyncio.sleep(0.05 if n == 0 else 0)
        finished.append(n)

    asyncio.run(collect(range(10), work, 2))
    assert finished[-1] == 0


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
