"""The power law of the error by library size, and when there is none to give."""

import numpy as np
import pytest

from flex.experiments.power_law import fit_power_law


def outcomes(errors: list[float], tasks: int = 1000) -> list[list[float]]:
    """So many tasks of which the last ones fail, as many as the error says."""
    return [[float(place >= round(error * tasks)) for place in range(tasks)] for error in errors]


def test_a_power_law_is_found_again():
    sizes = [10, 20, 40, 80]
    law = fit_power_law(sizes, outcomes([0.9 * size**-0.3 for size in sizes]))
    assert law.exponent == pytest.approx(0.3, abs=0.01)
    assert law.factor == pytest.approx(0.9, abs=0.03)
    assert law.low < 0.3 < law.high
    assert law.error(160) == pytest.approx(0.9 * 160**-0.3, abs=0.01)


def test_the_same_outcomes_give_the_same_interval():
    args = [5, 10, 20], outcomes([0.9, 0.6, 0.5], tasks=30)
    assert fit_power_law(*args) == fit_power_law(*args)


@pytest.mark.parametrize(
    ("sizes", "errors", "why"),
    [
        ([20, 20, 20], [0.5, 0.5, 0.5], "1 different library sizes, it takes 3"),
        ([0, 20, 30], [1.0, 0.5, 0.4], "2 different library sizes"),
        ([10, 12, 15], [0.5, 0.4, 0.3], "only grew from 10 to 15"),
        ([10, 20, 40], [1.0, 1.0, 1.0], "no task was ever answered right"),
    ],
)
def test_what_cannot_be_fitted_is_said(sizes, errors, why):
    law = fit_power_law(sizes, outcomes(errors))
    assert law.exponent is None
    assert why in law.words
    with pytest.raises(ValueError, match="no power law was fitted"):
        law.error(10)


def test_a_fit_whose_interval_holds_zero_claims_nothing():
    noise = np.random.default_rng(1).integers(0, 2, (3, 12)).astype(float).tolist()
    law = fit_power_law([10, 20, 40], noise)
    assert law.low < 0 < law.high
    assert "no power law is shown" in law.words


def test_points_of_one_size_count_as_one():
    rows = outcomes([0.8, 0.6, 0.4, 0.4, 0.4])
    once, often = fit_power_law([5, 10, 20], rows[:3]), fit_power_law([5, 10, 20, 20, 20], rows)
    assert once.exponent == often.exponent


def test_no_errors_at_all_are_half_a_task():
    law = fit_power_law([5, 10, 20], outcomes([0.5, 0.1, 0.0], tasks=20))
    assert law.exponent > 1
    assert np.isfinite(law.high)
