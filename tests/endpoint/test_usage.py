import asyncio
import threading

from flex.endpoint.usage import UsageTracker, record_usage, track_usage
from flex.types import Usage


def test_calls_are_added_to_the_tracker_around_them():
    record_usage("actor", "m", Usage(calls=1))
    with track_usage() as first:
        record_usage("actor", "m", Usage(calls=1, prompt_tokens=10))
        record_usage("retriever", "n", Usage(calls=1, completion_tokens=5))
    record_usage("actor", "m", Usage(calls=1))
    assert first.by_role == {"actor": Usage(1, 0, 10), "retriever": Usage(1, completion_tokens=5)}
    assert first.by_model == {"m": Usage(1, 0, 10), "n": Usage(1, completion_tokens=5)}
    assert first.total == Usage(calls=2, prompt_tokens=10, completion_tokens=5)


def test_concurrent_tasks_keep_their_usage_apart():
    async def work(n):
        with track_usage() as spent:
            for _ in range(n):
                await asyncio.sleep(0)
                record_usage("actor", "m", Usage(calls=1))
        return spent.total.calls

    async def all_of_them():
        return await asyncio.gather(*(work(n) for n in range(5)))

    assert asyncio.run(all_of_them()) == [0, 1, 2, 3, 4]


def test_a_thread_with_the_context_adds_to_the_same_tracker():
    import contextvars

    with track_usage() as spent:
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(record_usage, "actor", "m", Usage(calls=1)))
    thread.start()
    thread.join()
    assert spent.total.calls == 1


def test_a_role_may_have_several_models_and_a_model_several_roles():
    spent = UsageTracker()
    for role, model in (("actor", "a"), ("actor", "b"), ("critic", "a")):
        spent.add(role, model, Usage(calls=1))
    assert spent.by_role == {"actor": Usage(calls=2), "critic": Usage(calls=1)}
    assert spent.by_model == {"a": Usage(calls=2), "b": Usage(calls=1)}
