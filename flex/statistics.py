"""Intervals for accuracies: no number is printed without one."""

import math
from collections.abc import Sequence

import numpy as np

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson 1927, JASA 22:209); (0, 1) when n is 0."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = successes / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    margin = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - margin), min(1.0, centre + margin)


def accuracy_interval(correct: Sequence[Sequence[bool]]) -> tuple[float, float]:
    """The 95 % interval of an accuracy; `correct` holds the repeats of each task.

    One repeat: Wilson. Several: Wilson with the effective sample size of the task-clustered standard error, since
    repeats of one task are not independent (Miller 2024, arXiv 2411.00640).
    """
    tasks = len(correct)
    repeats = max((len(row) for row in correct), default=0)
    means = np.array([np.mean(row) if len(row) else 0.0 for row in correct])
    if repeats <= 1 or tasks < 2:
        return wilson(float(means.sum()), tasks)
    p, variance = float(means.mean()), float(means.var(ddof=1)) / tasks
    if variance == 0.0 or p in (0.0, 1.0):
        return wilson(p * tasks, tasks)
    effective = min(p * (1 - p) / variance, float(tasks * repeats))
    return wilson(p * effective, effective)


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The chance that one of k attempts is right, unbiased from n attempts (Chen et al. 2021, arXiv 2107.03374).

    Raises ValueError when k is larger than n.
    """
    if k > n:
        raise ValueError(f"pass@{k} needs at least {k} attempts per task, not {n}")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)
