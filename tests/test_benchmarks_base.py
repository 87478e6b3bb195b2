"""Data files: every line that cannot be a task is named, whatever is wrong with it."""

import json

import pytest

from flex.benchmarks import get_benchmark
from flex.benchmarks.base import LONGEST
from flex.errors import BenchmarkError

GOOD = '{"question": "CCO", "answer": "1"}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"question": "q", "answer": ' + "7" * 5000 + "}", "not valid JSON"),
        ('{"question": "half \\ud800", "answer": "1"}', "'question' holds half of a surrogate pair"),
        ('{"question": "q", "answer": "\\udfff1"}', "'answer' holds half of a surrogate pair"),
        (json.dumps({"question": "q" * (LONGEST + 1), "answer": "1"}), "'question' has 200,001 characters"),
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
