"""BM25: the formula, whatever happened before."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flex.search import bm25


def numbers(terms: list[int]) -> np.ndarray:
    return np.array(terms, np.uint32)


def ranking(*texts: list[int]) -> bm25.Ranking:
    new = bm25.Ranking()
    new.put([numbers(text) for text in texts])
    return new


def by_hand(texts: list[list[int]], query: list[int]) -> list[float]:
    average = sum(map(len, texts)) / max(len(texts), 1)
    scores = []
    for text in texts:
        score = 0.0
        for term in query:
            appearances = sum(term in other for other in texts)
            idf = math.log(1 + (len(texts) - appearances + 0.5) / (appearances + 0.5))
            count = text.count(term)
            score += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(text) / (average or 1)))
        scores.append(score)
    return scores


def test_bm25_is_the_formula():
    texts = [[1, 1, 2], [2, 3, 3, 3, 3], []]
    assert ranking(*texts).scores(numbers([1, 9, 2, 2]), 1_000) == pytest.approx(by_hand(texts, [1, 9, 2, 2]))


def test_an_empty_ranking_scores_nothing():
    assert bm25.Ranking().scores(numbers([1]), 1_000).tolist() == []
    assert ranking([], []).scores(numbers([1]), 1_000).tolist() == [0, 0]
    assert ranking([1]).scores(numbers([]), 1_000).tolist() == [0]


some_terms = st.lists(st.integers(0, 5), max_size=6)


@given(st.lists(some_terms | st.integers(0, 30), max_size=40), some_terms)
def test_only_the_texts_that_are_left_count(steps: list[list[int] | int], query: list[int]):
    grown, texts, removed = bm25.Ranking(), [], set()
    for step in steps:
        if isinstance(step, list):
            grown.put([numbers(step)])
            texts.append(step)
        elif step < len(texts) and step not in removed:
            grown.remove([step], [numbers(texts[step])])
            removed.add(step)
    left = [number for number in range(len(texts)) if number not in removed]
    scores = grown.scores(numbers(query), 1_000)
    assert scores[left] == pytest.approx(by_hand([texts[n] for n in left], query))
    assert not scores[list(removed)].any()


def test_segments_stay_few_and_the_removed_are_dropped():
    grown = bm25.Ranking()
    for number in range(200):
        grown.put([numbers([number % 7, 50])])
        if number > 2:
            grown.remove([number - 3], [numbers([(number - 3) % 7, 50])])
    assert len(grown._segments) < 10
    assert sum(len(segment.docs) for segment in grown._segments) < 20


def test_segments_stay_few_when_all_texts_come_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bm25, "_BATCH", 4)
    texts = [[number, 500] for number in range(400)] + [[1]]  # 200 batches, and a last one that is small
    grown = ranking(*texts)
    assert len(grown._segments) < 10
    assert grown.scores(numbers([1]), 1_000) == pytest.approx(by_hand(texts, [1]))


def test_large_segments_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bm25, "_MERGED", 10)
    grown = bm25.Ranking()
    for number in range(20):
        grown.put([numbers([number, 50, 51])])
    assert max(len(segment.docs) for segment in grown._segments) <= 10
    assert np.count_nonzero(grown.scores(numbers([50]), 1_000)) == 20


def test_the_commonest_terms_are_passed_over_when_there_are_too_many():
    texts = [[1, 2, 3], [1, 2], [1]]
    assert ranking(*texts).scores(numbers([1, 2, 3]), 3) == pytest.approx(by_hand(texts, [2, 3]))
    assert ranking(*texts).scores(numbers([1]), 2).all(), "one term is always looked up"


def test_equal_scores_stand_by_name():
    scores = np.array([0.5, 1.0, 0.0, 0.5, 0.5])
    names = ["d", "e", "a", "c", "b"]
    assert bm25.best(scores, 3, names) == [1, 4, 3]
    assert bm25.best(scores, 9, names) == [1, 4, 3, 0]
    assert bm25.best(scores, 0, names) == []
