"""The paper's experiments as a person runs them, small, against the apprentice."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from flex.cli import main as flex
from flex.experiments.ablation import explorations, raw_record
from flex.explib import ExpLib

ROOT = Path(__file__).parents[2]
SMALL = ["--max_samples", "6", "--samples", "3", "--no-telemetry"]
NOWHERE = ["--base_url", "http://127.0.0.1:9/v1", "--max_retries", "0"]
"""An endpoint that never answers: what is finished needs none."""
FILES = ("result.json", "picture.svg", "index.html")


@pytest.fixture(scope="module")
def scaling(url, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scaling")
    assert flex(["scaling-law", *SMALL, "--epochs", "2", "--early", "1", "--out", str(folder), "--base_url", url]) == 0
    return folder


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_the_scaling_law_measures_within_and_after_every_epoch(scaling):
    result = result_of(scaling)
    assert [(p["epoch"], p["tasks"]) for p in result["points"]] == [(None, 3), (1, 6), (2, 12)]
    sizes = [p["library"] for p in result["points"]]
    assert 1 <= sizes[0] < sizes[1] == len(ExpLib(scaling / "epoch-1" / "library.json"))
    assert all(sum(p["zones"].values()) == p["library"] for p in result["points"])
    assert result["baseline"]["percent"] == 0
    assert result["points"][1]["train"]["n"] == 6
    assert result["law"]["why_not"].startswith("2 different library sizes")
    ET.parse(scaling / "picture.svg")
    assert "flex train --benchmark retro" in (scaling / "index.html").read_text()


def test_an_epoch_goes_on_with_the_library_of_the_one_before(scaling):
    first, second = (ExpLib(scaling / f"epoch-{epoch}" / "library.json") for epoch in (1, 2))
    assert {e.id for e in first} <= {e.id for e in second}
    assert len(second.history()) == 2 * len(first.history())


def test_a_finished_experiment_is_drawn_again_without_an_endpoint(scaling, capsys):
    before = {name: (scaling / name).read_bytes() for name in FILES}
    arguments = ["scaling-law", *SMALL, "--epochs", "2", "--early", "1", "--out", str(scaling), *NOWHERE]
    assert flex(arguments) == 0
    assert {name: (scaling / name).read_bytes() for name in FILES} == before
    assert "no power law can be fitted" in capsys.readouterr().out


def test_stopped_by_its_budget_it_goes_on_to_the_same_result(scaling, url, tmp_path, capsys):
    arguments = [
        "scaling-law",
        *SMALL,
        "--epochs",
        "2",
        "--early",
        "1",
        "--out",
        str(tmp_path / "x"),
        "--base_url",
        url,
    ]
    codes = []
    while not codes or codes[-1] == 3:
        codes.append(flex([*arguments, "--max_tokens_total", "40000"]))
        assert len(codes) < 20
    assert codes[-1] == 0
    assert len(codes) >= 3
    assert "--max_tokens_total" in capsys.readouterr().err
    assert (tmp_path / "x" / "result.json").read_bytes() == (scaling / "result.json").read_bytes()


def test_inheritance_is_a_matrix_of_users_and_libraries(url, tmp_path, capsys):
    given = f"demo={ROOT / 'exps' / 'retro_demo.json'}"
    models = ["--models", "apprentice,apprentice-unmasking", "--library", given]
    arguments = ["inheritance", *SMALL, "--samples", "3", *models]
    assert flex([*arguments, "--out", str(tmp_path), "--base_url", url]) == 0
    result = result_of(tmp_path)
    assert [row["model"] for row in result["rows"]] == ["apprentice", "apprentice-unmasking"]
    for row in result["rows"]:
        assert [cell["library"] for cell in row["cells"]] == ["apprentice", "apprentice-unmasking", "demo"]
        assert all(
            cell["difference"]["points"] == pytest.approx(cell["percent"] - row["agent"]["percent"])
            for cell in row["cells"]
        )
    assert result["libraries"]["apprentice-unmasking"] < result["libraries"]["apprentice"]
    assert "library of" in capsys.readouterr().out


def test_an_ablation_makes_every_variant_of_the_same_explorations(url, tmp_path):
    assert flex(["ablation", *SMALL, "--out", str(tmp_path), "--base_url", url]) == 0
    variants = {variant["name"]: variant for variant in result_of(tmp_path)["variants"]}
    assert list(variants) == [
        "full", "flat retrieval", "no warning zone", "no updater", "no critic", "no library",
    ]  # fmt: skip
    assert variants["full"]["difference_to_full"] is None
    assert variants["no updater"]["library"] == variants["no critic"]["library"] == 6
    assert variants["no critic"]["percent"] == variants["no library"]["percent"] == 0
    assert all(e.zone != "warning" for e in ExpLib(tmp_path / "no-warning-zone" / "library.json"))
    records = ExpLib(tmp_path / "no-critic" / "library.json")
    assert [e.zone for e in records] == sorted(e.zone for e in records)
    first = explorations(tmp_path / "learned")[0].trajectories[0]
    record = raw_record(first)
    assert first.task.question in record.method
    assert all(seen.attempt.text in record.revised_trajectory for seen in first.rounds)
    assert records.identical(record)


def wrong(capsys, *words) -> str:
    """The one line with which a command refuses."""
    try:
        code = flex([str(word) for word in words])
    except SystemExit as ended:
        code = ended.code
    lines = capsys.readouterr().err.strip().splitlines()
    assert code in (1, 2)
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ablation", "--variants", "full,typo"], "unknown variant 'typo'; choose from full"),
        (["ablation", "--data_path", "nowhere"], "the data folder nowhere does not exist"),
        (["ablation", "--data_path", "README.md"], "README.md is a file; give the folder of both splits"),
        (["scaling-law", "--epochs", "0"], "'0' is not a whole number from 1"),
        (["scaling-law", "--benchmark", "typo"], "invalid choice: 'typo'"),
        (["inheritance", "--models", ","], "names no model"),
        (["inheritance", "--models", "apprentice,gpt-5"], "different endpoints: give --base_url"),
        (["inheritance", "--library", "demo"], "'demo' is not NAME=FILE"),
        (["inheritance", "--library", "demo=nowhere.json"], "the library nowhere.json does not exist"),
        (["inheritance", "--library", "apprentice=README.md"], "a model of that name learns its own"),
        (["table", "--benchmark", "typo"], "unknown benchmark 'typo'; choose from"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(capsys, monkeypatch, tmp_path, words, said):
    monkeypatch.chdir(ROOT)
    out = [] if words[0] == "table" else ["--out", tmp_path / "out"]
    assert said in wrong(capsys, *words, *out)
    assert not list(tmp_path.rglob("*.json"))


def test_the_folder_of_another_experiment_is_refused(capsys, scaling):
    assert "is of another run: experiment was" in wrong(capsys, "ablation", *SMALL, "--out", scaling, *NOWHERE)
    assert "train was" in wrong(capsys, "scaling-law", "--max_samples", "4", "--early", "1", "--out", scaling, *NOWHERE)


@pytest.mark.parametrize("name", ["scaling_law", "inheritance", "ablation"])
def test_every_script_is_there(name):
    done = subprocess.run([sys.executable, ROOT / "scripts" / f"{name}.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {name}.py")
