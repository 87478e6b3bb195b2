"""Ranks with ties and Spearman's correlation, against numbers worked out elsewhere."""

import numpy as np
import pytest

from flex.proteins.ranks import average_ranks, spearman

# The first as in the documentation of scipy.stats.spearmanr, the others by hand.
CASES = [
    ([1, 2, 3, 4, 5], [5, 6, 7, 8, 7], 0.8207826816681233),
    ([1, 2, 2, 3], [1, 3, 2, 4], 0.9**0.5),
    ([1, 1, 1, 2], [1, 2, 3, 4], 0.6**0.5),
    ([3, 1, 2], [1, 3, 2], -1.0),
    ([1.5, 1.5, 2.5, 2.5], [2, 2, 1, 1], -1.0),
    ([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], 5 / 9),
]


@pytest.mark.parametrize(("a", "b", "expected"), CASES)
def test_spearman_counts_ties_as_the_field_does(a, b, expected):
    assert spearman(np.array(a, float), np.array(b, float)) == pytest.approx(expected, abs=1e-12)


def test_spearman_is_scipy_s_where_scipy_is_there():
    stats = pytest.importorskip("scipy.stats", reason="needs scipy to compare with")
    generator = np.random.default_rng(0)
    for size in (2, 5, 50, 1000):
        a, b = generator.integers(0, size // 2 + 2, size).astype(float), generator.normal(size=size)
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_equal_values_share_the_mean_of_their_ranks():
    assert list(average_ranks(np.array([10.0, 20.0, 10.0, 5.0]))) == [2.5, 4.0, 2.5, 1.0]


@pytest.mark.parametrize("a", [[1.0, 1.0, 1.0], []])
def test_a_constant_ranks_nothing(a):
    assert spearman(np.array(a), np.arange(float(len(a)))) == 0.0


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="not 2 and 3"):
        spearman(np.arange(2.0), np.arange(3.0))
