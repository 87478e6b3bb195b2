"""`flex eval`, `compare` and `table`, against the apprentice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flex.cli.compare import main as compare
from flex.cli.eval import main as evaluate
from flex.cli.table import main as table
from flex.cli.train import main as train
from tests.gated_apprentice import GatedApprentice

ROOT = Path(__file__).parents[2]
DEMO = "data/retro_demo"
LIBRARY = "exps/retro_demo.json"
ALL = "vanilla,icl,agent,flex,flex-empty,flex-shuffled"


def words(url: str, out: Path, setting: str, *more) -> list[str]:
    return [str(word) for word in (
        "--benchmark", "retro", "--model", "apprentice", "--library", LIBRARY, "--data_path", DEMO,
        "--setting", setting, "--base_url", url, "--no-telemetry", "--out", out, "--samples", "15", *more,
    )]  # fmt: skip


@pytest.fixture(scope="module")
def run(evaluated, tmp_path_factory) -> Path:
    """A finished run of all settings."""
    return shutil.copytree(evaluated, tmp_path_factory.mktemp("eval") / "run")


def summary(out: Path) -> dict:
    return json.loads((out / "summary.json").read_text())


def test_the_controls_tell_what_the_library_is_worth(run):
    settings = summary(run)["settings"]
    assert list(settings) == ALL.split(",")
    correct = {name: setting["correct"] for name, setting in settings.items()}
    assert correct["vanilla"] == correct["agent"] == correct["flex-empty"] == 0
    assert correct["flex"] > correct["flex-shuffled"]
    assert (
        settings["flex-empty"]["usage_by_role"]["actor"]["calls"] > settings["agent"]["usage_by_role"]["actor"]["calls"]
    )


def test_every_pair_is_compared_the_primary_one_first(run):
    rows = summary(run)["comparisons"]
    assert len(rows) == 15
    assert [row["a"] for row in rows[:5]] == ["flex"] * 5
    assert [row["role"] for row in rows] == ["primary"] + ["secondary"] * 4 + ["aside"] * 10
    assert {"a", "b", "difference", "low", "high", "p", "p_adjusted", "verdict", "unanswered"} <= set(rows[0])
    assert (rows[0]["b"], rows[0]["verdict"]) == ("agent", "better")
    assert next(row for row in rows if row["b"] == "vanilla")["p"] < rows[1]["p_adjusted"] <= 0.05
    same = next(row for row in rows if {row["a"], row["b"]} == {"vanilla", "agent"})
    assert (same["difference"], same["verdict"]) == (0, "not tested")


def test_the_primary_comparison_is_written_down_when_the_run_begins(run, url, tmp_path, capsys):
    written = [json.loads((run / name / "config.json").read_text()) for name in ("vanilla", "flex")]
    assert [(config["primary"], config["margin"]) for config in written] == [(["flex", "agent"], 2.0)] * 2
    again = [*words(url, run, ALL), "--primary", "flex,vanilla", "--all_pairs"]
    capsys.readouterr()
    assert evaluate(again) == 0, "it goes on, and says that the name came late"
    assert "flex - vanilla (named afterwards)" in capsys.readouterr().out
    assert evaluate(words(url, run, ALL)) == 0
    shown = capsys.readouterr().out
    assert "flex - agent (primary)" in shown
    assert "not tested: 10 without flex (--all_pairs)" in shown
    assert "vanilla - icl" not in shown


def test_eval_and_compare_print_the_same(run, url, capsys):
    assert evaluate(words(url, run, "flex,icl,agent")) == 0
    capsys.readouterr()
    assert evaluate(words(url, run, ALL)) == 0
    shown = capsys.readouterr().out.split("\n\n")[1]
    assert compare([str(run)]) == 0
    assert capsys.readouterr().out.split("\n\n")[1].strip() == shown.partition("\nreport:")[0]


def test_an_unknown_price_is_unknown(run):
    assert summary(run)["cost"]["usd"] is None
    assert summary(run)["settings"]["flex"]["cost"]["tokens_per_correct"] > 0


def test_a_run_writes_its_report(run):
    page = (run / "report.html").read_text()
    assert "flex-shuffled" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_finished_run_started_again_asks_nothing(run, url, capsys):
    before = {path: path.read_bytes() for path in run.rglob("results.jsonl")}
    assert evaluate(words(url, run, ALL)) == 0
    assert {path: path.read_bytes() for path in run.rglob("results.jsonl")} == before


def test_repeats_are_samples_of_their_own(url, tmp_path):
    assert evaluate(words(url, tmp_path, "vanilla", "--repeats", "3", "--samples", "2")) == 0
    setting = summary(tmp_path)["settings"]["vanilla"]
    assert (setting["n"], setting["repeats"]) == (2, 3)
    assert {"pass@2", "pass@3", "top-1", "top-3"} <= set(setting)
    rows = [json.loads(line) for line in (tmp_path / "vanilla" / "results.jsonl").read_text().splitlines()]
    assert [(row["index"], row["repeat"]) for row in rows] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_more_repeats_later_keep_the_answers_that_are_there(url, tmp_path):
    rows = []
    for repeats in ("1", "3", "2"):
        assert evaluate(words(url, tmp_path, "vanilla", "--repeats", repeats, "--samples", "2")) == 0
        assert summary(tmp_path)["settings"]["vanilla"]["repeats"] == int(repeats)
        rows.append((tmp_path / "vanilla" / "results.jsonl").read_text().splitlines())
    assert set(rows[0]) <= set(rows[1]) == set(rows[2])


@pytest.mark.parametrize("retrieval", ["flat", "agentic"])
def test_the_library_can_be_read_in_other_ways(url, tmp_path, retrieval):
    assert evaluate(words(url, tmp_path, "flex", "--retrieval", retrieval, "--samples", "2")) == 0
    setting = summary(tmp_path)["settings"]["flex"]
    assert setting["failed"] == 0
    assert ("retriever" in setting["usage_by_role"]) is (retrieval == "agentic")


def test_a_task_that_was_learned_from_is_not_shown_its_own_experience(url, tmp_path, capsys):
    common = words(url, tmp_path / "guarded", "flex", "--split", "train", "--samples", "6")
    assert evaluate(common) == 0
    assert "leakage: 6 of 6 tasks" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "guarded/flex/results.jsonl").read_text().splitlines()]
    assert all(row["hidden"] and not set(row["hidden"]) & set(row["hits"]) for row in rows)
    assert (
        evaluate([*words(url, tmp_path / "open", "flex", "--split", "train", "--samples", "6"), "--allow_leakage"]) == 0
    )
    assert summary(tmp_path / "open")["settings"]["flex"]["correct"] >= 4


def test_a_budget_stops_cleanly_and_the_run_goes_on_later(url, tmp_path, capsys):
    common = words(url, tmp_path, "vanilla,agent", "--max_concurrent", "2")
    assert evaluate([*common, "--max_tokens_total", "5000"]) == 3
    assert "5,000; everything paid for is kept. The same command goes on" in capsys.readouterr().err.replace("\n", " ")
    rows = (tmp_path / "vanilla" / "results.jsonl").read_text().splitlines()
    assert 3 <= len(rows) < 15
    assert evaluate(common) == 0
    assert (tmp_path / "vanilla" / "results.jsonl").read_text().splitlines()[: len(rows)] == rows
    assert set(summary(tmp_path)["settings"]) == {"vanilla", "agent"}


def test_a_budget_in_money_needs_prices(url, tmp_path, capsys):
    common = words(url, tmp_path / "out", "vanilla", "--max_usd", "0.001")
    assert evaluate(common) == 2
    assert "no price is known for model apprentice" in capsys.readouterr().err
    (tmp_path / "prices.json").write_text('{"apprentice": {"input": 1, "output": 2}}')
    assert evaluate([*common, "--prices", str(tmp_path / "prices.json")]) == 3
    assert "--max_usd is $0.0010" in capsys.readouterr().err


def start(slow: str, out: Path) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "flex",
        "eval",
        *words(slow, out, "agent,flex", "--max_concurrent", "3", "--samples", "8"),
    ]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def rows_in(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def test_a_killed_run_ends_with_the_same_rows(run, url, tmp_path):
    with GatedApprentice(lambda: rows_in(tmp_path / "flex" / "results.jsonl") >= 4) as slow:
        killed = start(slow.url, tmp_path)
        slow.wait()
        killed.kill()
        killed.communicate()
    assert 4 <= rows_in(tmp_path / "flex" / "results.jsonl") < 8
    assert evaluate(words(url, tmp_path, "agent,flex", "--samples", "8")) == 0

    def rows(folder: Path) -> list[dict]:
        found = [json.loads(line) for line in (folder / "flex" / "results.jsonl").read_text().splitlines()]
        return [{key: value for key, value in row.items() if key != "seconds"} for row in found]

    assert rows(tmp_path) == rows(run)[:8]


def test_the_first_ctrl_c_lets_what_is_under_way_end(tmp_path):
    with GatedApprentice(lambda: rows_in(tmp_path / "flex" / "results.jsonl") >= 2) as slow:
        stopped = start(slow.url, tmp_path)
        message = slow.interrupt(stopped)
    assert stopped.returncode == 130
    assert "The same command goes on from here." in message
    assert "Traceback" not in message
    rows = [json.loads(line) for line in (tmp_path / "flex" / "results.jsonl").read_text().splitlines()]
    assert 2 <= len(rows) < 8
    assert all(row["error"] is None for row in rows)


def wrong(capsys, main, *arguments) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    return shown


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--setting", "flex,magic"], "unknown setting 'magic'; choose from vanilla, icl"),
        (["--library", "nowhere.json"], "nowhere.json does not exist"),
        (["--icl_k", "51", "--setting", "icl"], "--icl_k 51 is more than the 50 tasks of the train split"),
        (["--split", "dev"], "dev.jsonl does not exist"),
        (["--train_path", "nowhere.jsonl"], "nowhere.jsonl does not exist"),
        (["--prices", "nowhere.json"], "nowhere.json"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_call(capsys, tmp_path, more, message):
    assert message in wrong(capsys, evaluate, *words("http://127.0.0.1:9/v1", tmp_path / "out", "flex"), *more)
    assert not (tmp_path / "out").exists()


def test_a_library_of_another_benchmark_is_refused(capsys, tmp_path):
    (tmp_path / "test.jsonl").write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')
    more = ["--benchmark", "math", "--data_path", tmp_path]
    line = wrong(capsys, evaluate, *words("http://127.0.0.1:9/v1", tmp_path / "out", "flex"), *more)
    assert "was learned from retro, not math" in line


def test_runs_of_different_times_are_compared(run, url, tmp_path, capsys):
    assert evaluate(words(url, tmp_path, "agent")) == 0
    capsys.readouterr()
    assert compare([str(run / "flex"), str(tmp_path / "agent")]) == 0
    assert "flex - agent" in capsys.readouterr().out
    assert compare([str(run), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 15


def test_runs_that_do_not_compare_are_refused_with_the_reason(run, url, tmp_path, capsys):
    assert evaluate(words(url, tmp_path / "fewer", "agent", "--samples", "5")) == 0
    (tmp_path / "mine.txt").write_text("{{ question }}{{ has_memory }}")
    assert evaluate(words(url, tmp_path / "mine", "agent", "--actor_prompt", tmp_path / "mine.txt")) == 0
    capsys.readouterr()
    assert "their tasks differ" in wrong(capsys, compare, run / "flex", tmp_path / "fewer" / "agent")
    assert "their prompt 'actor' differs" in wrong(capsys, compare, run / "flex", tmp_path / "mine" / "agent")
    assert "nothing to compare" in wrong(capsys, compare, run / "flex")
    assert "holds no results.jsonl" in wrong(capsys, compare, tmp_path)
    assert "does not exist" in wrong(capsys, compare, tmp_path / "nowhere")


def test_the_table_labels_what_was_measured_and_what_was_published(run, capsys):
    assert table([str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("Claude-Sonnet-4.5" in line and "published" in line and "30.0" in line for line in lines)
    mine = next(line for line in lines if "measured here" in line)
    assert "apprentice" in mine
    assert "±" in mine
    assert lines.index(mine) > max(n for n, line in enumerate(lines) if "published" in line)


def test_training_stops_at_its_budget_and_goes_on(url, tmp_path, capsys):
    common = [
        "--task_type", "retro", "--data_path", f"{DEMO}/train.jsonl", "--llm_model", "apprentice", "--base_url", url,
        "--store_path", tmp_path / "x.json", "--run_dir", tmp_path / "run", "--max_samples", "12", "--batch_size", "2",
        "--max_rounds", "1", "--max_rollouts", "1", "--no-telemetry",
    ]  # fmt: skip
    assert train([*map(str, common), "--max_tokens_total", "20000"]) == 3
    assert "goes on from here" in capsys.readouterr().err
    assert train(list(map(str, common))) == 0
    assert "explored 12 tasks" in capsys.readouterr().out
