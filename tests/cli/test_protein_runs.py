"""Protein from the command line: learn from a folder of tables, answer another one, and every folder that is none."""

import json
from pathlib import Path

import pytest

from flex.cli import main as flex
from flex.cli.test import main_flex
from flex.cli.train import main as reject_sampling
from flex.explib import ExpLib
from flex.files.paths import shipped
from tests.assay_tables import table, write
from tests.fake_endpoint import Call, Endpoint
from tests.replies import decision, experience

DEMO = shipped("data/protein_demo")
FORMULAS = ('rank("Structure-IF")', 'rank("Structure-IF") + rank(Family_MSA)', "volume / charge",
            "rank('Structure-IF') + rank(Family_MSA) - 0.2 * proline")  # fmt: skip


def role(call: Call) -> str:
    """A model that knows four formulas, and hands in the best of what its library says."""
    said = "\n".join(str(message["content"]) for message in call.body["messages"])
    if '"revised_trajectory"' in said and "<round" in said:
        return experience("Begin with the structure model.", f"Best: {FORMULAS[-1]}")
    if '"action"' in said and "insert" in said:
        return decision("insert")
    if "final_answer" in said:
        return f"Thought: known.\n<code>\nfinal_answer('''<answer>{FORMULAS[0]}</answer>''')\n</code>"
    tried = sum(message["role"] == "assistant" for message in call.body["messages"])
    return f"I try <answer>{FORMULAS[tried % len(FORMULAS)]}</answer>"


@pytest.fixture(scope="module")
def url():
    with Endpoint(*[role] * 400) as endpoint:
        yield endpoint.url


@pytest.fixture(scope="module")
def trained(url, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("protein")
    assert reject_sampling([
        "--task_type", "protein", "--data_path", str(DEMO / "train"), "--llm_model", "m", "--max_rounds", "4",
        "--store_path", str(folder / "library.json"), "--run_dir", str(folder / "run"), "--base_url", url,
        "--no-telemetry",
    ]) == 0  # fmt: skip
    return folder


def test_training_uses_all_rounds_of_one_rollout_and_keeps_what_was_learned(trained):
    library = ExpLib(trained / "library.json")
    assert {entry.zone for entry in library} == {"golden"}
    lines = (trained / "run" / "events.jsonl").read_text().splitlines()
    explored = [e["exploration"] for e in map(json.loads, lines) if e["event"] == "explored"]
    assert len(explored) == 3
    for exploration in explored:
        (trajectory,) = exploration["trajectories"]
        assert len(trajectory["rounds"]) == 4
        assert "division by zero" in trajectory["rounds"][2]["verdict"]["feedback"]


def test_evaluating_reports_the_mean_score_and_proteingym_s_average(trained, url, tmp_path, capsys):
    assert main_flex([
        "--task_type", "protein", "--actor", "m", "--memory_path", str(trained / "library.json"), "--data_path",
        str(DEMO), "--results_dir", str(tmp_path / "results"), "--base_url", url, "--no-telemetry",
    ]) == 0  # fmt: skip
    summary = json.loads((tmp_path / "results" / "summary.json").read_text())
    config = json.loads((tmp_path / "results" / "config.json").read_text())
    rows = [json.loads(line) for line in (tmp_path / "results" / "results.jsonl").read_text().splitlines()]
    assert summary["mean_score"] == pytest.approx(sum(row["score"] for row in rows) / 3)
    assert 0.3 < summary["mean_score"] < 0.8
    assert summary["low"] <= summary["mean_score"] <= summary["high"]
    assert summary["headline"] == "mean_score"
    assert summary["aggregates"]["proteingym"] == pytest.approx(summary["mean_score"])
    assert config["retrieval"] == "flat"
    said = capsys.readouterr().out
    assert f"flex: mean score {100 * summary['mean_score']:.1f} of 100" in said
    assert f"proteingym: {100 * summary['aggregates']['proteingym']:.1f}" in said
    assert "accuracy" not in said


def test_settings_are_compared_by_their_scores(trained, url, tmp_path, capsys):
    assert flex([
        "eval", "--benchmark", "protein", "--model", "m", "--setting", "vanilla,icl,flex-chat", "--data_path",
        str(DEMO), "--library", str(trained / "library.json"), "--out", str(tmp_path), "--base_url", url,
        "--no-telemetry",
    ]) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "score" in said.splitlines()[0]
    assert "accuracy" not in said
    assert "of 100 on 3 protein problems" in (tmp_path / "report.html").read_text(encoding="utf-8")


def bad(folder: Path, content: bytes) -> Path:
    (folder / "bad.csv").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f, "holds no assay tables"),
        (lambda f: f / "nowhere", "does not exist"),
        (lambda f: bad(f, b"mutant,One\nA1C,1\n"), "has no column 'DMS_score'"),
        (lambda f: bad(f, b"mutant,DMS_score,One\nA1C,1,high\n"), "line 2: 'high' in column 'One' is no number"),
        (lambda f: bad(f, b"\xff\xfe"), "cannot read"),
        (lambda f: write(f, lines=table()[:99]), "has 99 labelled mutants, but 100 are to be learned from"),
    ],
    ids=["empty folder", "no folder", "no score", "no number", "not UTF-8", "too few"],
)
def test_a_folder_that_cannot_be_used_is_named_in_one_line(make, message, tmp_path, capsys):
    code = reject_sampling(["--task_type", "protein", "--data_path", str(make(tmp_path)), "--llm_model", "m",
                            "--run_dir", str(tmp_path / "run"), "--base_url", "http://127.0.0.1:9"])  # fmt: skip
    said = capsys.readouterr().err
    assert code == 2
    assert message in said
    assert said.count("\n") == 1
