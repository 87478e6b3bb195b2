"""The units benchmark: what is read out of a reply, what it scores, its rows, and a run of every command."""

import json

import pytest

from flex.benchmarks import get_benchmark
from flex.errors import BenchmarkError
from flex.evaluation.leakage import find_leaks
from flex.runs.plan import split_of
from flex.types import Task
from scripts.make_units import KINDS, main
from tests.plumbing import ROOT, put_through

DATA = ROOT / "data/units"
units = get_benchmark("units")


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (r"So \boxed{0.88889}.", 1),
        (r"\boxed{0.88889 \text{ metres per second}}", 1),
        (r"\boxed{\approx 0.889}", 1),
        ("3.2 kilometres per hour = 0.8889 metres per second", 1),
        ("The answer is about 0.889 metres per second.", 1),
        ("<answer>8/9</answer>", 1),
        ("8.889e-1", 1),
        ("0.8889", 1),
        ("0.8897", 1),
        ("0.8898", 0),
        ("-0.8889", 0),
        ("11.52", 0),
        (r"\boxed{unknown}", 0),
        ("", 0),
        ("9" * 1000, 0),
    ],
)
def test_a_reply_scores_when_its_number_is_within_a_thousandth(text, score):
    assert units.score(units.extract(text), "8/9") == score


@pytest.mark.parametrize("target", ["8/0", "a", "1/2/3", "1e9", "9" * 500])
def test_a_row_without_a_number_is_named(tmp_path, target):
    (tmp_path / "train.jsonl").write_text(json.dumps({"question": "Convert 1 foot.", "answer": target}))
    with pytest.raises(BenchmarkError, match=r"line 1: the answer '.*' is no integer, decimal or fraction"):
        units.load(tmp_path / "train.jsonl")


@pytest.mark.parametrize(
    ("kind", "given", "wanted", "factor"),
    [
        ("length", "miles", "furlongs", 8),
        ("length", "chains", "yards", 22),
        ("mass", "pounds", "grains", 7000),
        ("mass", "troy ounces", "pennyweights", 20),
        ("mass", "long hundredweights", "stone", 8),
        ("volume", "US gallons", "cubic inches", 231),
        ("volume", "imperial bushels", "imperial pints", 64),
        ("area", "acres", "square yards", 4840),
        ("area", "square miles", "acres", 640),
        ("speed", "feet per second", "feet per fortnight", 1_209_600),
    ],
)
def test_units_have_the_sizes_they_are_defined_by(kind, given, wanted, factor):
    assert KINDS[kind][given] == factor * KINDS[kind][wanted]


def test_the_rows_are_written_again_byte_for_byte(tmp_path):
    main(["--out", str(tmp_path)])
    for name in ("train.jsonl", "test.jsonl"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_no_row_to_learn_from_gives_one_to_test_on_away():
    train, test = (units.load(DATA / f"{name}.jsonl") for name in ("train", "test"))
    assert (len(train), len(test)) == (50, 50)
    assert find_leaks(test, train, None, units) == []


def test_an_example_shows_decimals():
    assert units.example(Task("u", "Convert.", "8/9")) == "0.888889"


def test_the_rows_that_ship_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert split_of(None, units, "test").exists()


def test_it_goes_through_every_command(tmp_path):
    scores = put_through("units", lambda target: rf"So \boxed{{{target}}}", tmp_path)
    assert scores == {"vanilla": 1, "icl": 1, "agent": 1, "flex": 1}
