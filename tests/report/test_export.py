import importlib.util
import json

import pytest

from flex.cli.report import export as main
from flex.errors import SettingsError
from flex.evaluation.results import Result
from flex.files.jsonlines import to_jsonable
from flex.report.export import export_inspect
from flex.types import Usage

INSTALLED = importlib.util.find_spec("inspect_ai") is not None
needs_inspect = pytest.mark.skipif(not INSTALLED, reason="needs inspect-ai: pip install -e '.[inspect]'")


def row(index, repeat=0, **changed):
    values = {
        "task_id": f"math-{index}",
        "index": index,
        "repeat": repeat,
        "question": "6 * 7?",
        "target": "42",
        "answer": "42",
        "score": 1.0,
        "correct": True,
        "error": None,
        "setting": "flex",
        "seconds": 2.0,
        "usage": Usage(calls=1, prompt_tokens=100, cached_tokens=40, completion_tokens=20, reasoning_tokens=5),
        "hits": ("golden-1",),
        "reply": "It is 42.",
    }
    return Result(**{**values, **changed})


def put(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(to_jsonable(each)) + "\n" for each in rows)
    folder.joinpath("results.jsonl").write_text(lines)
    folder.joinpath("config.json").write_text('{"created_at": "2026-01-31T12:00:00+00:00", "models": {"actor": "m"}}')
    return folder


@pytest.mark.skipif(INSTALLED, reason="inspect-ai is installed: this is about what is said when it is not")
def test_without_inspect_ai_one_line_says_how_to_get_it(tmp_path, capsys):
    assert main([str(put(tmp_path / "run", [row(0)])), "--inspect", str(tmp_path / "out.eval")]) == 2
    assert "pip install -e '.[inspect]'" in capsys.readouterr().err
    assert not (tmp_path / "out.eval").exists()


def test_a_log_has_to_be_named_eval(tmp_path):
    with pytest.raises(SettingsError, match=r"has to end in \.eval"):
        export_inspect(tmp_path, tmp_path / "out.json")


@needs_inspect
@pytest.mark.filterwarnings("default")
def test_a_log_reads_back_with_its_samples_epochs_scores_and_usage(tmp_path):
    from inspect_ai.log import read_eval_log

    wrong = row(0, 1, answer=None, score=0.0, correct=False, error="refused: \ud800")
    folder = put(tmp_path / "run", [row(0), wrong])
    process = tmp_path / "run_process"
    process.mkdir()
    step = {"step": 1, "output": "I compute.", "code": "6*7", "observation": "42", "error": None}
    (process / "0.json").write_text(json.dumps({"task_id": "math-0", "steps": [step]}))

    (path,) = export_inspect(folder, tmp_path / "out.eval")

    log = read_eval_log(str(path))
    first, second = log.samples
    assert (log.status, log.eval.model, log.eval.config.epochs, log.eval.solver) == ("success", "m", 2, "flex")
    assert log.results.scores[0].metrics["accuracy"].value == 0.5
    assert (first.input, first.target, first.output.completion) == ("6 * 7?", "42", "It is 42.")
    assert [message.text for message in first.messages] == ["6 * 7?", "I compute.", "42", "It is 42."]
    assert (first.scores["flex"].value, second.scores["flex"].value) == ("C", "I")
    assert (second.epoch, second.error.message) == (2, "refused: ?")
    assert first.metadata["hits"] == ["golden-1"]
    usage = first.model_usage["m"]
    assert (usage.input_tokens, usage.input_tokens_cache_read, usage.total_tokens) == (60, 40, 120)


@needs_inspect
@pytest.mark.filterwarnings("default")
def test_several_settings_are_several_logs(tmp_path, capsys):
    for name in ("vanilla", "flex"):
        put(tmp_path / "run" / name, [row(0, setting=name)])
    assert main([str(tmp_path / "run"), "--inspect", str(tmp_path / "out.eval")]) == 0
    assert [line.rpartition("/")[2] for line in capsys.readouterr().out.split()] == [
        "out-vanilla.eval",
        "out-flex.eval",
    ]
