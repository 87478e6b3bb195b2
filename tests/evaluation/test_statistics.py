import itertools
import math
import time

import numpy as np
import pytest

from flex.evaluation.statistics import (
    accuracy_interval,
    majority,
    mean_interval,
    minimum_detectable_effect,
    paired_difference,
    pass_at_k,
    student,
    wilson,
)


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


def experiment(dice, *, tasks, repeats, difference, accuracy=0.4, icc=0.4):
    """Correlated repeats of two settings that meet the same difficulties; a's true accuracy is higher by so much."""
    strength = 1 / icc - 1
    below = dice.beta(accuracy * strength, (1 - accuracy) * strength, tasks)
    above = below + difference / (1 - accuracy) * (1 - below)
    return [(dice.random((tasks, repeats)) < chance[:, None]).astype(int).tolist() for chance in (above, below)]


@pytest.mark.parametrize(("tasks", "repeats"), [(30, 1), (30, 4), (100, 4)])
@pytest.mark.parametrize("difference", [0.0, 0.1])
def test_the_interval_of_a_difference_holds_the_truth_19_times_in_20(tasks, repeats, difference):
    dice = np.random.default_rng(1)
    pairs = [experiment(dice, tasks=tasks, repeats=repeats, difference=difference) for _ in range(200)]
    found = [paired_difference(a, b, resamples=600) for a, b in pairs]
    covered = np.mean([each.low <= difference <= each.high for each in found])
    assert 0.91 <= covered <= 0.99  # 200 experiments; bench/intervals.py does 2,000
    if difference == 0:
        assert np.mean([each.verdict in ("better", "worse") for each in found]) <= 0.05


@pytest.mark.parametrize("accuracy", [0.1, 0.5, 0.9])
def test_the_interval_of_an_accuracy_holds_the_truth_19_times_in_20(accuracy):
    dice = np.random.default_rng(2)
    rows = [experiment(dice, tasks=30, repeats=4, difference=0, accuracy=accuracy)[1] for _ in range(300)]
    covered = np.mean([low <= accuracy <= high for low, high in map(accuracy_interval, rows)])
    assert 0.92 <= covered <= 0.985


def discordant(gains, losses, n=30):
    """One attempt per task of two settings that disagree on so many."""
    rest = n - gains - losses
    return [[1]] * gains + [[0]] * losses + [[1]] * rest, [[0]] * gains + [[1]] * losses + [[1]] * rest


@pytest.mark.parametrize(
    ("gains", "losses", "p"),
    [
        (7, 0, 0.015625),
        (10, 3, 0.0922852),
        (0, 0, 1.0),
        (4, 4, 1.0),
        (9, 1, 0.0214844),  # 2 * 11 / 1024
        (2, 10, 0.0385742),
        (5, 15, 0.0413895),  # binomial tables: P(at most 5 of 20) = 0.0207
        (86, 150, 3.716e-5),  # approval ratings in Agresti, Categorical Data Analysis, table 10.1: z = -4.17
    ],
)
def test_mcnemar_equals_the_textbook(gains, losses, p):
    found = paired_difference(*discordant(gains, losses, 300)).p
    assert found == pytest.approx(p, rel=1e-3 if p < 1e-3 else 1e-5)


def test_the_sign_flip_p_of_repeats_equals_all_signs_counted():
    a = [[1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0]]
    b = [[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
    d = np.sum(a, axis=1) - np.sum(b, axis=1)
    sums = [abs(np.dot(signs, d)) for signs in itertools.product((-1, 1), repeat=len(d))]
    exact = np.mean(np.array(sums) >= abs(d.sum()))
    assert paired_difference(a, b).p == pytest.approx(exact)
    shifted = [[score + 0.5 for score in row] for row in a]  # not 0 and 1: the other way to the same p
    assert paired_difference(shifted, [[score + 0.5 for score in row] for row in b]).p == pytest.approx(exact)


def test_many_real_scores_have_a_sign_flip_p_near_that_of_the_normal():
    dice = np.random.default_rng(0)
    d = dice.normal(0.2, 1, 100)
    found = paired_difference([[score] for score in d], [[0.0]] * 100)
    z = d.mean() / (np.sqrt(np.mean(d**2)) / 10)
    assert found.p == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=0.01)
    assert (found.low, found.high) == pytest.approx(
        (d.mean() - 1.984 * d.std(ddof=1) / 10, d.mean() + 1.984 * d.std(ddof=1) / 10), abs=0.03
    )


def test_seven_gains_and_no_loss_are_better_and_the_other_way_round_worse():
    a, b = discordant(7, 0)
    assert paired_difference(a, b).verdict == "better"
    assert paired_difference(b, a).verdict == "worse"
    assert paired_difference(a, b).difference == pytest.approx(7 / 30)
    assert paired_difference(b, a).low == -paired_difference(a, b).high


@pytest.mark.parametrize(("gains", "losses"), [(10, 3), (5, 0), (0, 0), (1, 0)])
def test_what_is_not_shown_says_what_would_be(gains, losses):
    assert paired_difference(*discordant(gains, losses)).verdict == "no difference shown (n = 30 detects >= 25 points)"


def test_no_word_without_both_the_interval_and_the_test():
    for gains in range(0, 16, 2):
        for losses in range(gains + 1):
            found = paired_difference(*discordant(gains, losses), resamples=1000)
            assert (found.verdict == "better") == (found.low > 0 and found.p <= 0.05)
            assert found.low <= found.difference <= found.high


@pytest.mark.parametrize("scores", [[[0]] * 30, [[1]] * 30, [[0, 0, 0, 0]] * 30, [[0.37]] * 30])
def test_equal_results_are_not_a_certain_zero(scores):
    found = paired_difference(scores, scores)
    assert (found.difference, found.p, found.gains, found.losses) == (0.0, 1.0, 0, 0)
    assert found.low < -0.05
    assert found.high > 0.05


def test_all_gains_still_have_an_interval():
    found = paired_difference([[1]] * 30, [[0]] * 30)
    assert (found.verdict, found.high) == ("better", 1.0)
    assert found.low < 0.9


def test_nothing_follows_from_one_task():
    found = paired_difference([[1]], [[0]])
    assert (found.low, found.high, found.p) == (-1.0, 1.0, 1.0)
    assert found.verdict == "no difference shown (n = 1 is too few to show any)"


def test_repeats_that_always_agree_count_once_and_independent_ones_narrow_the_interval():
    a, b = discordant(6, 3)
    once, copied = paired_difference(a, b), paired_difference([row * 4 for row in a], [row * 4 for row in b])
    assert (copied.low, copied.high) == (once.low, once.high)
    assert copied.p == pytest.approx(once.p)
    assert copied.detectable == pytest.approx(once.detectable)
    dice = np.random.default_rng(5)
    many_a, many_b = dice.integers(0, 2, (2, 30, 4)).tolist()
    narrow = paired_difference(many_a, many_b)
    wide = paired_difference([row[:1] for row in many_a], [row[:1] for row in many_b])
    assert narrow.high - narrow.low < 0.7 * (wide.high - wide.low)
    assert narrow.verdict.startswith("no difference shown (n = 30 x 4 detects >= 1")


def test_real_scores_are_compared_in_their_own_unit():
    dice = np.random.default_rng(3)
    spearman = dice.uniform(0.3, 0.6, 12)
    found = paired_difference(
        [[s + 0.05 + n] for s, n in zip(spearman, dice.normal(0, 0.02, 12), strict=True)], [[s] for s in spearman]
    )
    assert found.verdict == "better"
    assert found.low < 0.05 < found.high
    same = paired_difference(
        [[s + n] for s, n in zip(spearman, dice.normal(0, 0.02, 12), strict=True)], [[s] for s in spearman]
    )
    assert same.verdict.startswith("no difference shown (n = 12 detects >= 0.0")


def test_the_same_seed_gives_the_same_interval():
    a, b = discordant(9, 4)
    assert paired_difference(a, b) == paired_difference(a, b)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([[1]], [[1], [0]], "the same tasks twice, not 1 and 2"),
        ([], [], "the same tasks twice, not 0 and 0"),
        ([[1], []], [[1], [1]], "at least one score"),
        ([[math.nan]], [[1]], "finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        paired_difference(a, b)


def test_thirteen_hundred_tasks_with_four_repeats_take_less_than_a_second():
    a, b = np.random.default_rng(0).integers(0, 2, (2, 1319, 4)).tolist()
    start = time.process_time()
    paired_difference(a, b)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(("n", "points"), [(30, 25), (100, 14), (1319, 3.9), (3, 100)])
def test_the_detectable_difference_follows_from_the_number_of_tasks(n, points):
    assert 100 * minimum_detectable_effect(n) == pytest.approx(points, rel=0.02)


def test_the_detectable_difference_solves_connors_sample_size():
    delta, share = minimum_detectable_effect(120, discordance=0.3), 0.3
    needed = (1.959964 * math.sqrt(share) + 0.841621 * math.sqrt(share - delta**2)) ** 2 / delta**2
    assert needed == pytest.approx(120, rel=1e-5)
    assert minimum_detectable_effect(30, repeats=4) == pytest.approx(minimum_detectable_effect(120))


@pytest.mark.parametrize(("df", "quantile"), [(2, 4.3027), (3, 3.1824), (5, 2.5706), (10, 2.2281), (29, 2.0452)])
def test_students_quantile_equals_the_table(df, quantile):
    assert student(df) == pytest.approx(quantile, rel=0.03 if df < 5 else 1e-3)


@pytest.mark.parametrize(
    ("answers", "ranked"),
    [
        (["7", "3", "3"], ["3", "7"]),
        (["b", "a", "a", "b", "c"], ["b", "a", "c"]),
        ([None, "x", None], ["x"]),
        ([None], []),
        ([], []),
    ],
)
def test_the_commonest_answer_comes_first_and_ties_by_appearance(answers, ranked):
    assert majority(answers) == ranked


def test_answers_with_the_same_canonical_form_are_one():
    key = lambda answer: frozenset(answer.split("."))  # noqa: E731
    assert majority(["A", "B.C", "C.B"], key) == ["B.C", "A"]


def test_the_interval_of_a_mean_is_student_s_over_tasks_not_over_repeats():
    low, high = mean_interval([[0.2, 0.4], [0.5], [0.7]])
    half = 4.3027 * np.std([0.3, 0.5, 0.7], ddof=1) / math.sqrt(3)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.02)


def test_one_task_says_nothing_about_the_mean_of_all():
    assert mean_interval([[0.5, 0.6]]) == (-1.0, 1.0)
    assert mean_interval([[0.9], [-0.9]]) == (-1.0, 1.0)
