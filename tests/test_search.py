"""Search: what is found, in which order, whatever happened before."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flex import bm25
from flex.explib import ExpLib
from flex.search import SearchIndex, normalised, rank_texts, stem


def index(texts: dict[str, str]) -> SearchIndex:
    new = SearchIndex()
    new.put(texts)
    return new


def found(texts: dict[str, str], query: str, top_k: int = 5) -> list[str]:
    return [key for key, _ in index(texts).search(query, list(texts), top_k)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dividing", "number"),
        ("TRIANGLES", "geometry"),
        ("$n^{2} - 19n + 99$", "number"),
        ("n² − 19n + 99", "number"),
        ("CC(=O)Nc1ccccc1", "amide"),
        ('AND ("unclosed [field:x^2 OR *', "number"),
    ],
)
def test_words_formulas_and_smiles_find_their_entry(query: str, expected: str):
    texts = {
        "geometry": "Draw the triangle and its incircle.",
        "number": "n^2-19n+99 is a square: divide by x^2 and compare fields.",
        "amide": "Cut the amide O=C(C)Nc1ccccc1 <- CC(=O)O.Nc1ccccc1",
    }
    assert found(texts, query)[0] == expected


@pytest.mark.parametrize("query", ["", "   ", "zzzz qqqq", "\udc80", "$"])
def test_a_query_that_shares_nothing_finds_nothing(query: str):
    assert found({"a": "some text"}, query) == []


def test_an_empty_index_finds_nothing():
    assert found({}, "anything") == []
    assert found({"a": "", "b": "$"}, "anything") == []


def test_equal_texts_come_in_the_order_of_the_keys():
    searched = index({"b": "same words", "a": "same words", "c": "same words"})
    assert [key for key, _ in searched.search("same", ["c", "a", "b"], 5)] == ["c", "a", "b"]


def test_the_best_in_both_rankings_scores_one():
    [(key, score), *_] = index({"a": "red fish", "b": "blue bird"}).search("red fish", ["a", "b"], 2)
    assert (key, score) == ("a", 1.0)


words = st.sampled_from(["ring", "triangle", "square", "c1ccccc1", "prime", "n^2", "modulo", "bond"])
some_text = st.lists(words, max_size=8).map(" ".join)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), some_text), max_size=25), some_text)
def test_results_do_not_depend_on_the_order_of_updates(updates: list[tuple[str, str]], query: str):
    grown = SearchIndex()
    for key, text in updates:
        grown.put({key: text})
    fresh = index(dict(updates))
    keys = sorted(dict(updates))
    assert grown.search(query, keys, 10) == fresh.search(query, keys, 10)


def test_a_copy_stays_as_it_was():
    original = index({"a": "red fish"})
    copy = original.copy()
    original.put({"a": "blue bird", "b": "red fish"})
    assert [key for key, _ in copy.search("red fish", ["a"], 5)] == ["a"]
    assert [key for key, _ in original.search("red fish", ["a", "b"], 5)] == ["b"]


def test_bm25_is_the_formula():
    ranking = bm25.Ranking()
    ranking.put({"a": bm25.terms([1, 1, 2]), "b": bm25.terms([2, 3, 3, 3, 3])})
    idf = np.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 4))
    assert ranking.scores(bm25.terms([1, 9]), ["a", "b"]) == pytest.approx([expected, 0])


def test_segments_merge_and_the_dead_are_dropped():
    ranking = bm25.Ranking()
    for number in range(200):
        ranking.put({str(number % 3): bm25.terms([number % 7, 50])})
    assert len(ranking._segments) < 10
    assert sum(len(segment.docs) for segment in ranking._segments) < 20
    assert (ranking.scores(bm25.terms([199 % 7]), ["0", "1", "2"]) > 0).tolist() == [False, True, False]


def test_a_very_long_query_finds_its_text():
    random.seed(1)
    letters = [
        " ".join(random.choices(["alpha", "beta", "gamma", "delta", f"w{n}", f"v{n}"], k=900)) for n in range(30)
    ]
    shuffled = " ".join(random.sample(letters[7].split(), 900))
    assert rank_texts(shuffled, letters, 1) == [7]


def test_rank_texts_gives_places_best_first():
    assert rank_texts("red fish", ["blue bird", "a fish", "red fish", ""], 5) == [2, 1]
    assert rank_texts("red", [], 5) == []


def test_stems_and_normal_forms_meet():
    assert {stem(word) for word in ("divide", "divides", "divided", "dividing")} == {"divid"}
    assert stem("ring") == "ring"
    assert normalised("Ｘ²") == "x2"


AIME = [0, 1, 2, 3, 4, 7, 9, 11, 12, 13, 14, 15, 16, 18, 19, 21, 22, 23, 24, 25, 27, 28, 29, 32, 33, 34, 36, 39, 40, 41]
AIME += [42, 45, 46, 47, 17]
"""The training problem of each entry of aime_claude.json, matched by hand from its trajectory."""
USPTO = [index for index in range(50) if index != 20]
"""The training product of each entry of retro_gpt.json: it quotes that problem's answer."""


@pytest.mark.parametrize(
    ("name", "data", "problems", "least"),
    [("aime_claude", "AIME", AIME, 0.95), ("retro_gpt", "uspto50k", USPTO, 0.80)],
)
def test_the_problem_finds_the_entry_it_led_to(shared: Path, name: str, data: str, problems: list[int], least: float):
    library = ExpLib(shared / "exps" / f"{name}.json")
    lines = (shared / "data" / data / "train.jsonl").read_text("utf-8").splitlines()
    first = [library.search(json.loads(lines[problem])["question"], 5) for problem in problems]
    hits = [hits[0].experience_id == experience.id for hits, experience in zip(first, library, strict=True)]
    assert sum(hits) / len(hits) >= least
