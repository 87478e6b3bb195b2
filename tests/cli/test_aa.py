"""`flex aa`: one setting twice."""

import asyncio
import json

import pytest

from flex import EndpointConfig, EvalRun, aa
from flex.cli.aa import main, noise_lines
from flex.errors import SettingsError
from flex.evaluation.noise import noise
from tests.fake_endpoint import Endpoint


def words(url, out, *more) -> list[str]:
    return [str(word) for word in (
        "--benchmark", "units", "--model", "m", "--setting", "vanilla", "--samples", "6", "--base_url", url,
        "--no-telemetry", "--max_concurrent", "1", "--out", out, *more,
    )]  # fmt: skip


def test_a_setting_is_run_twice_and_a_run_that_is_there_is_not_paid_for_again(tmp_path, capsys):
    with Endpoint(default="no idea") as endpoint:
        assert main(words(endpoint.url, tmp_path)) == 0
        assert len(endpoint.calls) == 12
        assert main(words(endpoint.url, tmp_path)) == 0
        assert len(endpoint.calls) == 12
    shown = capsys.readouterr().out
    assert [line.split()[:2] for line in shown.splitlines()[1:3]] == [["vanilla", "1"], ["vanilla", "2"]]
    assert "flip rate: 0.0 % of answers differ between the runs (95 % interval 0.0 to 39.0, 6 tasks x 1)" in shown
    assert "155 tasks or more; where the same question gets the same answer, as at temperature 0," in shown
    assert shown.endswith(f"results: {tmp_path}\n")
    assert json.loads((tmp_path / "noise.json").read_text())["flip_rate"] == 0
    assert {path.parent.name for path in tmp_path.glob("*/results.jsonl")} == {"first", "second"}


def test_both_runs_are_replayed(tmp_path):
    replies = iter(f"no idea {number}" for number in range(12))
    with Endpoint(default=lambda _: next(replies)) as endpoint:
        assert main(words(endpoint.url, tmp_path / "a")) == 0
    assert main(words("http://127.0.0.1:9", tmp_path / "b", "--replay", tmp_path / "a")) == 0
    for folder in ("first", "second"):
        said = [
            [json.loads(row)["reply"] for row in (tmp_path / run / folder / "results.jsonl").read_text().splitlines()]
            for run in "ab"
        ]
        assert said[0] == said[1]


def test_a_budget_counts_both_runs(tmp_path, capsys):
    with Endpoint(default="no idea") as endpoint:
        assert main(words(endpoint.url, tmp_path, "--max_tokens_total", 1)) == 3
    assert "The same command goes on from here." in capsys.readouterr().err
    assert not (tmp_path / "noise.json").exists()


def test_what_would_resolve_five_points_is_said_in_tasks_and_repeats():
    found = noise([[1]] * 50 + [[0]] * 50, [[1]] * 40 + [[0]] * 50 + [[1]] * 10)
    flips, band, needed = noise_lines(found)
    assert flips == "flip rate: 20.0 % of answers differ between the runs (95 % interval 13.3 to 28.9, 100 tasks x 1)"
    assert band.startswith(
        "noise band: two runs of the same are up to 8.9 points apart, 19 times in 20; these are +0.0"
    )
    assert needed == (
        "to resolve 5 points (80 % power): 626 answers per setting or more, such as 100 tasks x 7 or 626 tasks x 1"
    )


@pytest.mark.parametrize("settings", ["vanilla,agent", ""])
def test_it_is_one_setting_that_is_run_twice(settings, tmp_path, capsys):
    assert main([*words("http://127.0.0.1:9/v1", tmp_path / "out"), "--setting", settings]) == 2
    assert "one setting is run twice: give --setting one name" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_it_is_a_typed_call_too(tmp_path):
    with Endpoint(default="no idea") as endpoint:
        run = EvalRun(benchmark="units", model="m", settings=("vanilla",), samples=3, repeats=2, out=tmp_path,
                      endpoint=EndpointConfig(base_url=endpoint.url), telemetry=False)  # fmt: skip
        result = asyncio.run(aa(run))
    assert (list(result.runs), result.noise.tasks, result.noise.repeats) == (["vanilla 1", "vanilla 2"], 3, 2)
    with pytest.raises(SettingsError, match="one setting is run twice"):
        asyncio.run(aa(EvalRun(benchmark="units", model="m")))
