import numpy as np
import pytest

from flex.statistics import accuracy_interval, pass_at_k, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (0, 0, 0.0, 1.0),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_equals_the_textbook(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_one_attempt_per_task_has_the_wilson_interval():
    assert accuracy_interval([[True]] * 12 + [[False]] * 18) == wilson(12, 30)


def test_identical_repeats_are_worth_no_more_than_one():
    once = accuracy_interval([[True]] * 12 + [[False]] * 18)
    thrice = accuracy_interval([[True] * 3] * 12 + [[False] * 3] * 18)
    assert thrice == pytest.approx(once, abs=0.01)


def test_independent_repeats_narrow_the_interval():
    dice = np.random.default_rng(0)
    rows = [list(dice.random(8) < 0.5) for _ in range(30)]
    low, high = accuracy_interval(rows)
    once = accuracy_interval([row[:1] for row in rows])
    assert high - low < 0.6 * (once[1] - once[0])


@pytest.mark.parametrize("always", [True, False])
def test_a_certain_result_still_has_an_interval(always):
    low, high = accuracy_interval([[always] * 4] * 30)
    assert high - low > 0.05


@pytest.mark.parametrize(
    ("n", "correct", "k", "expected"),
    [(1, 1, 1, 1.0), (4, 1, 1, 0.25), (4, 1, 2, 0.5), (4, 2, 2, 5 / 6), (4, 0, 4, 0.0), (5, 3, 3, 1.0)],
)
def test_pass_at_k_is_the_unbiased_estimate(n, correct, k, expected):
    assert pass_at_k(n, correct, k) == pytest.approx(expected)


def test_pass_at_k_needs_k_attempts():
    with pytest.raises(ValueError, match="pass@3 needs at least 3 attempts"):
        pass_at_k(2, 1, 3)
