"""A run's folder that was damaged: what is wrong is named by file and line, whatever it is."""

import json
from pathlib import Path

import pytest

from flex.errors import RunError
from flex.evaluation.folder import read_run
from flex.evaluation.results import Result, load_results
from flex.evaluation.summary import Summary
from flex.files.jsonlines import to_jsonable
from flex.types import Usage

ROW = to_jsonable(Result("math-1", 0, 0, "q", "7", "7", 1.0, True, None, "vanilla", 0.1, Usage(calls=1)))


def line(**changed: object) -> str:
    return json.dumps(ROW | changed)


def put(folder: Path, *lines: str, **files: str) -> Path:
    setting = folder / "vanilla"
    setting.mkdir()
    (setting / "results.jsonl").write_bytes("".join(f"{one}\n" for one in lines).encode("latin-1"))
    for name, content in files.items():
        (setting / f"{name}.json").write_text(content)
    return folder


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        (line().replace('"score": 1.0', '"score": NaN'), "NaN is no number"),
        (line().replace('"score": 1.0', '"score": 1e400'), "1e400 is too large"),
        (line().replace('"score": 1.0', '"score": -Infinity'), "-Infinity is no number"),
        (line(answer=[7]), "answer"),
        (line(score="high"), "score"),
        (line(score=7), "score 7"),
        (line(repeat=-1), "repeat -1"),
        (json.dumps({key: value for key, value in ROW.items() if key != "task_id"}), "task_id"),
        (line().replace("{", '{"task_id": "other", ', 1), "'task_id' comes twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[7]", "not an object"),
        ("\x00\xff\x01", "not valid JSON"),
    ],
)
def test_a_damaged_row_is_named_by_file_and_line(tmp_path, damaged, problem):
    folder = put(tmp_path, line(), damaged, line(repeat=1))
    with pytest.raises(RunError, match=r"results\.jsonl, line 2: [^\n]*" + problem.replace("[", r"\[")):
        load_results(folder / "vanilla")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config", "[]"),
        ("config", '{"benchmark": 3}'),
        ("config", '{"models": []}'),
        ("summary", '{"accuracy": "x"}'),
        ("summary", '{"accuracy": NaN}'),
        ("summary", "{"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content):
    with pytest.raises(RunError, match=rf"vanilla/{name}\.json"):
        read_run(put(tmp_path, line(), **{name: content}))


@pytest.mark.parametrize("comparisons", [[1], {"a": 1}, "none", [{"a": "x", "difference": "much"}]])
def test_comparisons_that_are_none_are_named(tmp_path, comparisons):
    put(tmp_path, line())
    (tmp_path / "summary.json").write_text(json.dumps({"comparisons": comparisons}))
    with pytest.raises(RunError, match=r"summary\.json: "):
        read_run(tmp_path)


def test_a_last_line_that_was_torn_off_is_dropped(tmp_path):
    folder = put(tmp_path, line())
    with open(folder / "vanilla" / "results.jsonl", "a") as file:
        file.write(line(repeat=1)[:40])
    assert len(load_results(folder / "vanilla")) == 1


def test_what_the_endpoint_changed_stands_in_the_summary_and_beside_the_number():
    summary = Summary(4, 1, 2, 0.5, 0.1, 0.9, 0, conditions=("model 'm' refuses temperature=0",), unanswered=1)
    assert summary.notes.endswith("; model 'm' refuses temperature=0")
    assert Summary.from_json(summary.to_json()).conditions == summary.conditions
