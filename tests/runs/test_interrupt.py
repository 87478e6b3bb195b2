"""Ctrl-C is heard between calls: those in flight end, no other goes out, and the same run goes on."""

import asyncio
import json

import pytest

from flex import EndpointConfig, EvalRun, TrainRun, evaluate, train
from flex.concurrency import INTERRUPTED, Stop
from tests.fake_endpoint import Endpoint


def interrupting(stop: Stop, at: int, text: str):
    """An endpoint's script: the same reply always; while the call number `at` is answered somebody presses Ctrl-C."""
    asked: list[None] = []

    def answer(call):
        asked.append(None)
        if len(asked) == at:
            stop.interrupt()
        return text

    return answer


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(json.dumps({"question": f"Compute {n} + {n}.", "answer": str(2 * n)}) + "\n" for n in range(6))
    (tmp_path / "train.jsonl").write_text(rows)
    return tmp_path / "train.jsonl"


def test_a_task_of_many_calls_ends_with_the_one_in_flight(data):
    stop = Stop()
    wrong = "\\boxed{999} <next_step>continue</next_step>"
    with Endpoint(default=interrupting(stop, 3, wrong)) as endpoint:
        run = TrainRun(
            benchmark="math",
            model="m",
            data_path=data,
            save_to=data.with_name("L.json"),
            out=data.with_name("r"),
            telemetry=False,
            max_concurrent=1,
            endpoint=EndpointConfig(base_url=endpoint.url),
        )
        result = asyncio.run(train(run, stop=stop))
        assert (result.stopped, len(endpoint.calls), result.progress.explored) == (INTERRUPTED, 3, 0)


def test_an_evaluation_keeps_what_was_answered_and_goes_on(data):
    stop, config = Stop(), {}
    with Endpoint(default=interrupting(stop, 3, "\\boxed{4}")) as endpoint:
        config = {
            "benchmark": "math", "model": "m", "data_path": data, "settings": ("vanilla",), "out": data.with_name("e"),
            "telemetry": False, "max_concurrent": 1, "endpoint": EndpointConfig(base_url=endpoint.url),
        }  # fmt: skip
        result = asyncio.run(evaluate(EvalRun(**config), stop=stop))
        assert result.stopped == INTERRUPTED
        assert len(endpoint.calls) == 3
        rows = (data.with_name("e") / "vanilla" / "results.jsonl").read_text().splitlines()
        assert [json.loads(row)["unanswered"] for row in rows] == [False] * 3
        again = asyncio.run(evaluate(EvalRun(**config)))
        assert (again.stopped, again.settings["vanilla"].n, len(endpoint.calls)) == (None, 6, 6)


def test_a_part_of_the_work_hears_an_interrupt_of_the_whole():
    whole, heard = Stop(), []
    part = whole.within()
    part.when_interrupted(heard.append)
    whole.interrupt()
    part.when_interrupted(heard.append)
    assert heard == [INTERRUPTED] * 2
    assert part.reason == whole.reason == INTERRUPTED


def test_a_part_may_stop_alone():
    whole = Stop()
    part = whole.within()
    part.request("its budget")
    assert (part.reason, whole.reason) == ("its budget", None)
