"""What two runs of the same say about chance."""

import numpy as np
import pytest

from flex.evaluation.noise import answers_needed, noise
from flex.evaluation.statistics import minimum_detectable_effect


def test_the_flip_rate_is_the_share_of_tasks_whose_answer_changed():
    found = noise([[1]] * 6 + [[0]] * 4, [[0]] + [[1]] * 5 + [[0]] * 3 + [[1]])
    assert (found.flip_rate, found.tasks, found.repeats, found.difference) == (0.2, 10, 1, 0.0)
    assert found.low < 0.2 < found.high


def test_with_repeats_every_answer_meets_every_other_one():
    assert noise([[1, 0], [1, 1]], [[1, 1], [0, 1]]).flip_rate == 0.5


def test_two_runs_of_the_same_stay_within_the_band_nineteen_times_in_twenty():
    dice, inside = np.random.default_rng(0), []
    for _ in range(300):
        chances = dice.beta(0.6, 0.6, 60)[:, None]
        found = noise(*((dice.random((60, 2)) < chances).astype(int).tolist() for _ in range(2)))
        inside.append(abs(found.difference) <= found.band)
    assert 0.92 <= np.mean(inside) <= 0.98


def test_what_never_flips_has_a_band_all_the_same():
    found = noise([[1]] * 50, [[1]] * 50)
    assert (found.flip_rate, found.low, found.difference) == (0.0, 0.0, 0.0)
    assert 0.02 < found.band < 0.08
    assert 0.02 < found.high < 0.1
    assert found.answers == answers_needed(0.0) == 155


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_the_answers_needed_are_those_that_detect_five_points(rate):
    needed = answers_needed(rate)
    assert minimum_detectable_effect(needed, rate) == pytest.approx(0.05, rel=0.01)
    tasks = 40
    flips = round(rate * tasks)
    found = noise([[1]] * tasks, [[0]] * flips + [[1]] * (tasks - flips))
    assert found.answers == needed
    assert (found.needed_repeats - 1) * tasks < needed <= found.needed_repeats * tasks


def test_real_scores_have_their_own_noise():
    dice = np.random.default_rng(1)
    scores = dice.random(80)
    found = noise(*([[s + e] for s, e in zip(scores, dice.normal(0, 0.1, 80), strict=True)] for _ in range(2)))
    assert found.flip_rate == 1.0
    assert found.band == pytest.approx(1.99 * 0.141 / 80**0.5, rel=0.2)
    assert found.answers == answers_needed(0.05)


def test_one_task_says_nothing_about_noise():
    with pytest.raises(ValueError, match="two tasks or more"):
        noise([[1]], [[1]])
