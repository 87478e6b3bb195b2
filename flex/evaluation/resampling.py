"""What the tasks at hand say of tasks in general: the bootstrap over tasks, and random signs of their differences."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

Z80 = 0.8416212335729143
"""The 80 % quantile of the standard normal distribution."""

FEW = 4
"""With fewer tasks that stand out the bootstrap is blind, so that two pseudo-tasks help it (`paired_difference`)."""


def student(df: int) -> float:
    """The 97.5 % quantile of Student's t: within 0.1 % from df = 5, 3 % at 2 (Abramowitz & Stegun 26.7.5)."""
    z = Z95
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(df) ** power for power, term in enumerate(terms, start=1))


def with_pseudo_tasks(d: Floats) -> Floats:
    """The differences, and +1 and -1 when fewer than FEW stand out from the commonest one."""
    commonest = np.unique(np.round(d, 12), return_counts=True)[1].max()
    return np.append(d, (1.0, -1.0)) if len(d) - commonest < FEW else d


def bootstrap(d: Floats, generator: np.random.Generator, resamples: int) -> tuple[float, float]:
    """The 95 % expanded percentile interval of the mean of d."""
    d = with_pseudo_tasks(d)
    n = len(d)
    draws = (generator.integers(0, n, (rows, n), dtype=np.int32) for rows in chunks(resamples))
    means = np.concatenate([d[rows].mean(axis=1) for rows in draws])
    tail = 0.5 * math.erfc(math.sqrt(n / (n - 1)) * student(n - 1) / math.sqrt(2))
    low = np.quantile(means, tail, method="lower")
    high = np.quantile(means, 1 - tail, method="higher")
    return round(float(low), 10) + 0.0, round(float(high), 10) + 0.0


def sign_flip_exact(units: NDArray[np.int64]) -> float:
    """The chance that the sum of whole numbers with random signs is as far from zero as theirs."""
    total = int(np.abs(units).sum())
    chances = np.ones(1)  # of the sum of those with a positive sign
    for value, count in zip(*np.unique(np.abs(units[units != 0]), return_counts=True), strict=True):
        logs = [-math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in range(count + 1)]
        step = np.zeros(count * value + 1)
        step[::value] = np.exp(np.array(logs) + math.lgamma(count + 1) - count * math.log(2))
        chances = np.convolve(chances, step)
    extreme = np.abs(2 * np.arange(total + 1) - total) >= abs(int(units.sum()))
    return min(1.0, float(chances[extreme].sum()))


def sign_flip(d: Floats, generator: np.random.Generator, resamples: int) -> float:
    """The same for real numbers: all signs where there are few, else random ones (Phipson & Smyth 2010)."""
    d = d[d != 0]
    extreme = abs(d.sum()) - 1e-9 * np.abs(d).sum()
    if 2 ** min(len(d), 60) <= resamples:
        signs = np.arange(2 ** len(d))[:, None] >> np.arange(len(d)) & 1
        return float((np.abs((2 * signs - 1) @ d) >= extreme).mean())
    hits = sum(
        int((np.abs((2 * generator.integers(0, 2, (rows, len(d)), dtype=np.int8) - 1) @ d) >= extreme).sum())
        for rows in chunks(resamples)
    )
    return (hits + 1) / (resamples + 1)


def chunks(resamples: int, most: int = 500) -> Iterator[int]:
    """Row counts that add up to so many resamples, few at a time for the memory's sake."""
    for done in range(0, resamples, most):
        yield min(most, resamples - done)
