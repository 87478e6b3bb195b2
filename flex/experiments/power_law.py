"""Does the error fall as a power of the library's size? A fit, with its uncertainty, and when there is none to give."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SIZES = 3
"""Different library sizes below which two parameters are not determined with anything left to judge them by."""
LEAST_SPAN = 2.0
"""The largest size over the smallest one: over less a power law looks like any other smooth curve."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """error = factor * size ** -exponent, with the 95 % interval of the exponent; `why_not` where there is no fit."""

    factor: float | None = None
    exponent: float | None = None
    low: float | None = None
    high: float | None = None
    why_not: str = ""

    def error(self, size: float) -> float:
        """The error that the law expects at this size. Raises ValueError where there is no law."""
        if self.factor is None or self.exponent is None:
            raise ValueError(f"no power law was fitted: {self.why_not}")
        return float(self.factor * size**-self.exponent)

    @property
    def words(self) -> str:
        if self.exponent is None:
            return f"no power law can be fitted: {self.why_not}"
        law = f"error = {self.factor:.2f} / size^{self.exponent:.2f}, exponent {self.low:.2f} to {self.high:.2f}"
        return law if self.low and self.low > 0 else f"{law}: with this interval no power law is shown"


def fit_power_law(
    sizes: Sequence[int], correct: Sequence[Sequence[float]], seed: int = 0, resamples: int = 2000
) -> PowerLaw:
    """The power law of the error by library size; correct[i][t] is the mean outcome (0 to 1) of task t at size i.

    Least squares of logarithms; outcomes at one size are averaged. The interval resamples the tasks, the same ones for
    all sizes, and knows nothing of other orders of learning. An error of none or of all tasks counts as half a task.
    """
    used = [place for place, size in enumerate(sizes) if size > 0]
    distinct = sorted({sizes[place] for place in used})
    at = [np.mean([correct[place] for place in used if sizes[place] == size], axis=0) for size in distinct]
    outcomes = np.array(at, dtype=np.float64)
    if len(distinct) < LEAST_SIZES:
        return PowerLaw(why_not=f"{len(distinct)} different library sizes, it takes {LEAST_SIZES}")
    if distinct[-1] < LEAST_SPAN * distinct[0]:
        return PowerLaw(
            why_not=f"the library only grew from {distinct[0]} to {distinct[-1]} entries, it takes a doubling"
        )
    if not outcomes.any():
        return PowerLaw(why_not="no task was ever answered right")
    logs = np.log(distinct)
    intercept, exponent = _line(logs, outcomes.mean(axis=1, keepdims=True), outcomes.shape[1])
    draws = np.random.default_rng(seed).integers(0, outcomes.shape[1], (resamples, outcomes.shape[1]))
    resampled = np.stack([row[draws].mean(axis=1) for row in outcomes])
    _, exponents = _line(logs, resampled, outcomes.shape[1])
    low, high = np.quantile(exponents, (0.025, 0.975))
    factor, slope, least, most = (round(float(x), 6) for x in (np.exp(intercept[0]), exponent[0], low, high))
    return PowerLaw(factor, slope, least, most)


def _line(
    logs: NDArray[np.float64], accuracy: NDArray[np.float64], tasks: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intercepts and falling slopes of log error against log size, one for each column of accuracies."""
    errors = np.log(np.clip(1 - accuracy, 0.5 / tasks, 1 - 0.5 / tasks))
    centred = logs - logs.mean()
    slope = centred @ errors / (centred @ centred)
    return errors.mean(axis=0) - slope * logs.mean(), -slope
