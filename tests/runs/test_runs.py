"""Typed calls, as a notebook makes them: they do all that the commands do, and return what came of it."""

import asyncio
import json
import shutil
from dataclasses import replace

import pytest

import flex
from flex import EndpointConfig, EvalRun, TrainRun, compare, evaluate, train
from flex.concurrency import Stop
from flex.errors import BenchmarkError, RunError, SettingsError
from flex.evaluation.results import load_results
from flex.types import Experience


@pytest.fixture(scope="module")
def finished(url, tmp_path_factory):
    """(what training came to, what the evaluation came to, what was shown, a way to call it again)."""
    folder, shown = tmp_path_factory.mktemp("notebook"), []

    class Bar:
        def __init__(self, *what):
            shown.append(what)

        def __enter__(self):
            return lambda counts: shown.append(dict(counts))

        def __exit__(self, *exception):
            pass

    shared = {
        "benchmark": "retro", "model": "apprentice", "data_path": "data/retro_demo", "samples": 8,
        "endpoint": EndpointConfig(base_url=url), "telemetry": False,
    }  # fmt: skip
    learned = asyncio.run(
        train(TrainRun(**shared, save_to=folder / "lib.json", out=folder / "t", max_rounds=2, max_rollouts=1), bar=Bar)
    )
    run = EvalRun(**shared, library=learned.save_to, settings=("agent", "flex", "flex-shuffled"), out=folder / "eval")
    result = asyncio.run(evaluate(run, bar=Bar))
    return learned, result, shown, lambda **more: asyncio.run(evaluate(run, **more))


def training(finished, folder, **more) -> TrainRun:
    """The training that is finished, to be done again elsewhere."""
    _, result, *_ = finished
    shared = {name: getattr(result.run, name) for name in ("benchmark", "model", "data_path", "samples", "telemetry")}
    more = {"endpoint": result.run.endpoint, "max_rounds": 2, "max_rollouts": 1, **more}
    return TrainRun(**shared, save_to=folder / "lib.json", out=folder / "t", **more)


def contents(library: flex.ExpLib) -> list[Experience]:
    return [replace(entry, created_at="") for entry in library]


def test_training_returns_the_library_it_has_saved(finished):
    learned, _, shown, _ = finished
    assert (learned.progress.explored, learned.stopped) == (8, None)
    assert len(flex.ExpLib(learned.save_to)) == len(learned.library) > 0
    assert learned.library.path == learned.save_to
    assert learned.total.calls == sum(usage.calls for usage in learned.usage.values()) > 8
    assert shown[0] == ("", 8, "task")
    assert shown[8]["library"] == len(learned.library)


def test_an_evaluation_compares_hides_leaks_and_reports(finished):
    _, result, _, _ = finished
    assert list(result.settings) == ["agent", "flex", "flex-shuffled"]
    assert result.settings["flex"].n == 8
    assert [(d.a, d.b) for d in result.comparisons][:2] == [("flex", "agent"), ("flex", "flex-shuffled")]
    assert (result.folder / "summary.json").exists()
    assert result.report == result.folder / "report.html"
    assert result.report.exists()
    assert "<svg" in result.plot()._repr_svg_()
    assert result.plot().save(result.folder / "plot.svg").exists()


def test_finished_settings_are_compared_again_alike(finished):
    _, result, _, _ = finished
    found = compare(result.folder)
    assert [d.to_json() for d in found.comparisons] == [d.to_json() for d in result.comparisons]
    assert found.settings.keys() == result.settings.keys()
    assert "<svg" in found.plot()._repr_svg_()


def test_what_is_finished_is_not_paid_for_again(finished):
    *_, again = finished
    assert sum(usage.calls for usage in again().usage.values()) == 0


def test_a_finished_training_replays_offline_to_the_same_library(finished, tmp_path):
    learned, *_ = finished
    result = asyncio.run(train(training(finished, tmp_path, replay=learned.folder, endpoint=EndpointConfig())))
    assert result.total.calls == 0
    assert contents(result.library) == contents(learned.library)


def test_a_finished_evaluation_replays_offline_to_the_same_rows(finished, tmp_path):
    _, result, *_ = finished
    run = replace(result.run, out=tmp_path / "e", replay=result.folder, endpoint=EndpointConfig())
    again = asyncio.run(evaluate(run))
    assert sum(usage.calls for usage in again.usage.values()) == 0
    for name in run.settings:
        rows, before = (
            [replace(row, seconds=0) for row in load_results(folder / name)] for folder in (run.folder, result.folder)
        )
        assert rows == before
    assert again.comparisons == result.comparisons


def test_what_is_replayed_is_not_written_to(finished, tmp_path):
    learned, result, *_ = finished
    with pytest.raises(SettingsError, match=r"lies in the replayed folder .*; give another --out"):
        replace(training(finished, tmp_path), replay=learned.folder, out=learned.folder)
    with pytest.raises(SettingsError, match=r"lies in the replayed folder .*; give another --save_to"):
        replace(training(finished, tmp_path), replay=learned.folder, save_to=learned.folder / "lib.json")
    with pytest.raises(SettingsError, match=r"lies in the replayed folder .*; give another --out"):
        replace(result.run, replay=result.folder)


def test_what_was_paid_for_before_a_crash_is_not_paid_for_again(finished, tmp_path):
    learned, result, *_ = finished
    (tmp_path / "t").mkdir()  # as if it had been killed amid all of its tasks
    shutil.copy(learned.folder / "replies.db", tmp_path / "t")
    config = json.loads((learned.folder / "config.json").read_text())
    (tmp_path / "t" / "config.json").write_text(json.dumps(config | {"store_path": str(tmp_path / "lib.json")}))
    assert asyncio.run(train(training(finished, tmp_path))).total.calls == 0

    shutil.copytree(result.folder, tmp_path / "e")
    (tmp_path / "e" / "flex" / "results.jsonl").unlink()
    evaluated = asyncio.run(evaluate(replace(result.run, out=tmp_path / "e")))
    assert sum(usage.calls for usage in evaluated.usage.values()) == 0
    assert evaluated.settings["flex"].usage == result.settings["flex"].usage


def test_without_a_cache_nothing_is_kept(finished, tmp_path):
    run = replace(training(finished, tmp_path), samples=1, cache=False)
    asyncio.run(train(run))
    assert not (tmp_path / "t" / "replies.db").exists()
    with pytest.raises(RunError, match="cannot be replayed: it holds no replies"):
        asyncio.run(train(replace(run, out=tmp_path / "u", save_to=tmp_path / "lib2.json", replay=tmp_path / "t")))


def test_a_stop_that_was_requested_begins_nothing(finished, tmp_path):
    _, result, _, _ = finished
    stop = Stop()
    stop.request("enough")
    run = EvalRun(
        benchmark="retro", model="apprentice", data_path="data/retro_demo", settings=("vanilla",), samples=2,
        out=tmp_path, endpoint=result.run.endpoint, telemetry=False,
    )  # fmt: skip
    stopped = asyncio.run(evaluate(run, stop=stop))
    assert (stopped.stopped, stopped.settings) == ("enough", {})
    assert not (tmp_path / "summary.json").exists()
    with pytest.raises(RunError, match="unfinished"):
        compare(tmp_path / "vanilla", result.folder / "flex")


@pytest.mark.parametrize(
    "begin",
    [
        lambda out: evaluate(EvalRun(benchmark="units", model="m", out=out, telemetry=False)),
        lambda out: train(TrainRun(benchmark="units", model="m", out=out, telemetry=False)),
    ],
    ids=["evaluate", "train"],
)
def test_a_grader_that_cannot_be_trusted_is_not_paid_for(monkeypatch, tmp_path, begin):
    monkeypatch.setattr(type(flex.get_benchmark("units")), "score", lambda self, answer, target: 1.0)
    with pytest.raises(BenchmarkError, match="'units' is not graded as it should be"):  # and nobody looks for BASE_URL
        asyncio.run(begin(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_one_run_alone_cannot_be_compared(finished):
    with pytest.raises(SettingsError, match="nothing to compare"):
        compare(finished[1].folder / "flex")


def test_the_names_of_the_package_are_all_there():
    assert {"train", "evaluate", "compare", "TrainRun", "EvalRun", "EndpointConfig", "Budget"} <= set(flex.__all__)
    assert flex.runs.train is flex.train is train
    assert all(getattr(flex, name) is not None for name in flex.__all__)
