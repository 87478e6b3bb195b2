"""Data files: every line that cannot be a task is named, whatever is wrong with it."""

import json
import sys
from pathlib import PurePosixPath

import pytest

import flex.benchmarks
from flex.benchmarks import benchmark_names, get_benchmark
from flex.benchmarks.base import MAX_TEXT
from flex.errors import BenchmarkError, SettingsError
from flex.files.download import SOURCES
from flex.prompt import Prompts

GOOD = '{"question": "CCO", "answer": "1"}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"question": "q", "answer": ' + "7" * 5000 + "}", "not valid JSON"),
        ('{"question": "half \\ud800", "answer": "1"}', "'question' holds half of a surrogate pair"),
        ('{"question": "q", "answer": "\\udfff1"}', "'answer' holds half of a surrogate pair"),
        (json.dumps({"question": "q" * (MAX_TEXT + 1), "answer": "1"}), "'question' has 200,001 characters"),
    ],
    ids=["no JSON", "brackets", "digits", "surrogate", "surrogate in the answer", "long"],
)
def test_a_line_that_is_no_task_is_named(tmp_path, line, message):
    path = tmp_path / "data.jsonl"
    path.write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(BenchmarkError, match=rf"data\.jsonl, line 2: {message}"):
        get_benchmark("math").load(path)


def test_a_whole_surrogate_pair_is_a_character(tmp_path):
    (tmp_path / "data.jsonl").write_text('{"question": "\\ud83d\\ude00", "answer": 1}')
    assert get_benchmark("math").load(tmp_path / "data.jsonl")[0].question == "\U0001f600"


def test_a_question_of_retro_has_to_be_a_molecule(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"question": "How is aspirin made?", "answer": "CC(=O)Cl.OC"}')
    with pytest.raises(BenchmarkError, match=r"line 1: the question 'How is aspirin made\?' is not the SMILES"):
        get_benchmark("retro").load(path)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("math", r"`flex download --only aime` fetches data/AIME"),
        ("gsm8k", r"`flex download --only gsm8k` fetches data/gsm8k"),
        ("retro", r"`flex download --only uspto50k` fetches data/uspto50k"),
        ("protein", r".*zero_shot_substitutions_scores\.zip from https://proteingym\.org/download"),
        ("units", r"`python scripts/make_units\.py` writes data/units"),
    ],
)
def test_missing_data_is_an_error_in_one_line_that_says_where_it_can_be_had(name, source, tmp_path):
    with pytest.raises(SettingsError, match=rf"\Athe data [^\n]*test\.jsonl does not exist; {source}\Z"):
        get_benchmark(name).load(tmp_path / "test.jsonl")


@pytest.mark.parametrize("name", sorted({source.group for source in SOURCES} - {"exps"}))
def test_what_can_be_fetched_is_named_by_its_benchmark(name):
    (benchmark,) = (b for b in map(get_benchmark, benchmark_names()) if f"flex download --only {name}" in b.source)
    folders = {str(PurePosixPath(source.path).parent) for source in SOURCES if source.group == name}
    assert folders == {benchmark.folder}


def test_a_benchmark_says_itself_whether_its_scores_are_graded_and_its_rounds_open_ended():
    benchmarks = [get_benchmark(name) for name in benchmark_names()]
    assert [(b.name, b.open_ended) for b in benchmarks if b.graded] == [("protein", True)]
    assert all(b.score(None, "1") == 0.0 for b in benchmarks if not b.graded)


@pytest.mark.parametrize("name", benchmark_names())
def test_a_benchmark_finds_no_answer_in_nothing_and_has_prompts_of_its_own_or_the_default_ones(name):
    benchmark = get_benchmark(name)
    assert benchmark.extract("") is None
    assert benchmark.retrieval in ("flat", "hierarchical")
    ours = Prompts(benchmark.prompts).path("llm_system_prompt").stem, Prompts(benchmark.prompts).path("actor").stem
    assert benchmark.prompts == "default" or any(stem.endswith(f"_{benchmark.prompts}") for stem in ours)


@pytest.mark.parametrize("content", ["", "benchmark = 1", "from flex.benchmarks.math import benchmark"])
def test_a_file_that_defines_no_benchmark_of_its_name_is_named(tmp_path, monkeypatch, content):
    (tmp_path / "chess.py").write_text(content)
    monkeypatch.setattr(flex.benchmarks, "__path__", [*flex.benchmarks.__path__, str(tmp_path)])
    assert "chess" in benchmark_names()
    with pytest.raises(BenchmarkError, match=r"flex/benchmarks/chess\.py has to define `benchmark`"):
        get_benchmark("chess")
    sys.modules.pop("flex.benchmarks.chess")


@pytest.mark.parametrize("name", benchmark_names())
def test_every_benchmark_has_anchors_right_and_wrong_and_its_grader_agrees(name):
    benchmark = get_benchmark(name)
    assert {0.0, 1.0} <= {known.score for known in benchmark.anchors}
    benchmark.check_anchors()


@pytest.mark.parametrize(("extract", "score"), [(lambda text: text, 1.0), (lambda text: None, 0.0)])
def test_a_grader_that_takes_everything_or_nothing_is_named(monkeypatch, extract, score):
    benchmark = get_benchmark("math")
    monkeypatch.setattr(type(benchmark), "extract", lambda self, text: extract(text))
    monkeypatch.setattr(type(benchmark), "score", lambda self, answer, target: score)
    with pytest.raises(BenchmarkError, match=r"benchmark 'math' is not graded as it should be: .* scores") as caught:
        benchmark.check_anchors()
    assert "\n" not in str(caught.value)
