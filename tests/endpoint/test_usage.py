import asyncio
import threading

from flex.endpoint.usage import charge, ledger
from flex.types import Usage


def test_calls_are_charged_to_the_ledger_that_is_open_around_them():
    charge("actor", Usage(calls=1))
    with ledger() as first:
        charge("actor", Usage(calls=1, prompt_tokens=10))
        charge("retriever", Usage(calls=1, completion_tokens=5))
    charge("actor", Usage(calls=1))
    assert first.by_role == {"actor": Usage(1, 0, 10), "retriever": Usage(1, completion_tokens=5)}
    assert first.total == Usage(calls=2, prompt_tokens=10, completion_tokens=5)


def test_concurrent_tasks_keep_their_ledgers_apart():
    async def work(n):
        with ledger() as spent:
            for _ in range(n):
                await asyncio.sleep(0)
                charge("actor", Usage(calls=1))
        return spent.total.calls

    async def all_of_them():
        return await asyncio.gather(*(work(n) for n in range(5)))

    assert asyncio.run(all_of_them()) == [0, 1, 2, 3, 4]


def test_a_thread_with_the_context_charges_the_same_ledger():
    import contextvars

    with ledger() as spent:
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(charge, "actor", Usage(calls=1)))
    thread.start()
    thread.join()
    assert spent.total.calls == 1
