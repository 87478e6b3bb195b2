"""Search: what is found, in which order, whatever happened before."""

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flex.explib import ExpLib
from flex.search.query import Filter, Match
from flex.search.terms import normalised, stem, words
from flex.search.text import SearchIndex, rank_texts
from flex.types import Experience


def entries(texts: dict[str, str]) -> list[Experience]:
    return [Experience(text, id=key) for key, text in texts.items()]


def index(texts: dict[str, str]) -> SearchIndex:
    new = SearchIndex()
    new.put(entries(texts))
    return new


def found(searched: SearchIndex, query: str, top_k: int = 5, **wanted) -> list[str]:
    return [found.id for found in searched.search(query, top_k, Filter(**wanted))]


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
    assert found(index(texts), query)[0] == expected


@pytest.mark.parametrize("query", ["", "   ", "zzzz qqqq", "\udc80", "$"])
def test_a_query_that_shares_nothing_finds_nothing(query: str):
    assert found(index({"a": "some text"}), query) == []


def test_an_empty_index_finds_nothing():
    assert found(index({}), "anything") == []
    assert found(index({"a": "", "b": "$"}), "anything") == []


def test_equal_texts_come_by_id():
    assert found(index({"b": "same words", "c": "same words", "a": "same words"}), "same", 2) == ["a", "b"]


def test_the_best_in_both_rankings_scores_one():
    assert index({"a": "red fish", "b": "blue bird"}).search("red fish", 2) == [Match("a", 1.0, "words, 4-grams")]


def test_a_hit_says_what_found_it():
    searched = index({"alike": "triangularity", "same": "red fox", "both": "fox red rectangularity"})
    why = {found.id: found.why for found in searched.search("fox red rectangularity", 5)}
    assert why == {"both": "words, 4-grams", "alike": "4-grams", "same": "words"}


def test_filters_leave_what_is_wanted():
    searched = SearchIndex()
    searched.put(
        [
            Experience("red fish", id="a", problem_category="seas", priority=3),
            Experience("red fish", id="b", zone="warning", problem_category="skies", priority=2),
            Experience("red fish", id="c", zone="mixed", problem_category="seas", priority=-1),
        ]
    )
    assert found(searched, "red") == ["a", "b", "c"]
    assert found(searched, "red", zones=("mixed", "golden")) == ["a", "c"]
    assert found(searched, "red", zones=()) == []
    assert found(searched, "red", categories=["skies", "unheard of"]) == ["b"]
    assert found(searched, "red", min_priority=2) == ["a", "b"]
    assert found(searched, "red", hidden={"a", "unheard of"}) == ["b", "c"]
    assert found(searched, "red", zones=["golden"], hidden=["a"]) == []


def test_what_is_filtered_out_does_not_lower_a_score():
    searched = index({"a": "red fish, red fish, red fish", "b": "red fish and something else"})
    assert searched.search("red fish", 1, Filter(hidden=["a"])) == [Match("b", 1.0, "words, 4-grams")]


def test_what_is_removed_is_not_found():
    searched = index({"a": "red fish", "b": "red bird"})
    searched.remove(["a", "unheard of", "a"])
    assert found(searched, "red") == ["b"]
    searched.put(entries({"a": "red again"}))
    assert found(searched, "red again") == ["a", "b"]


some_words = st.sampled_from(["ring", "triangle", "square", "c1ccccc1", "prime", "n^2", "modulo", "bond"])
some_text = st.lists(some_words, max_size=8).map(" ".join)
updates = st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | some_text), max_size=25)


def carried_out(updates: list[tuple[str, str | None]]) -> SearchIndex:
    """An index after these updates; None removes."""
    grown = SearchIndex()
    for key, text in updates:
        grown.remove([key]) if text is None else grown.put(entries({key: text}))
    return grown


@given(updates, some_text)
def test_results_do_not_depend_on_the_order_of_updates(updates: list[tuple[str, str | None]], query: str):
    left = {key: text for key, text in dict(updates).items() if text is not None}
    assert carried_out(updates).search(query, 10) == index(left).search(query, 10)


def test_a_copy_stays_as_it_was():
    original = index({"a": "red fish", "c": "red bird"})
    copy = original.copy()
    original.put(entries({"a": "blue bird", "b": "red fish"}))
    original.remove(["c"])
    assert sorted(found(copy, "red")) == ["a", "c"]
    assert found(original, "red") == ["b"]


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


@pytest.mark.parametrize("end", ["", "é"])
def test_words_are_letters_digits_and_underscores(end: str):
    text = "a_1+b-c.d " + "".join(map(chr, range(128))) + end
    assert words(text) == re.findall(r"\w+", text)


AIME = [0, 1, 2, 3, 4, 7, 9, 11, 12, 13, 14, 15, 16, 18, 19, 21, 22, 23, 24, 25, 27, 28, 29, 32, 33, 34, 36, 39, 40, 41]
AIME += [42, 45, 46, 47, 17]
"""The training problem of each entry of aime_claude.json, matched by hand from its trajectory."""
USPTO = [index for index in range(50) if index != 20]
"""The training product of each entry of retro_gpt.json: it quotes that problem's answer."""


@pytest.mark.parametrize(
    ("name", "data", "problems", "text_only", "least", "least_of_five"),
    [
        ("aime_claude", "AIME", AIME, True, 0.95, 0.99),
        ("aime_claude", "AIME", AIME, False, 0.95, 0.99),
        ("retro_gpt", "uspto50k", USPTO, True, 0.80, 0.90),
        ("retro_gpt", "uspto50k", USPTO, False, 0.95, 0.99),
    ],
)
def test_the_problem_finds_the_entry_it_led_to(
    shared: Path, name: str, data: str, problems: list[int], text_only: bool, least: float, least_of_five: float
):
    library = ExpLib(shared / "exps" / f"{name}.json")
    lines = (shared / "data" / data / "train.jsonl").read_text("utf-8").splitlines()
    ids = [experience.id for experience in library]
    questions = [json.loads(lines[problem])["question"] for problem in problems]
    hits = [[hit.experience_id for hit in library.search(q, 5, text_only=text_only)] for q in questions]
    assert sum(own == five[0] for own, five in zip(ids, hits, strict=True)) / len(ids) >= least
    assert sum(own in five for own, five in zip(ids, hits, strict=True)) / len(ids) >= least_of_five


@given(st.text())
def test_words_are_what_the_pattern_finds(text: str):
    assert words(normalised(text)) == re.findall(r"\w+", normalised(text))
