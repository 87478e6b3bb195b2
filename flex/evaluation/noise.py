"""How far two runs of the same thing are apart, which is what every other difference has to be told from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flex.evaluation.resampling import Z80, Z95, student, with_pseudo_tasks
from flex.evaluation.statistics import wilson

RESOLVED = 0.05
"""The difference that everybody would like to see."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What two runs of one setting over the same tasks say about chance."""

    tasks: int
    """Those that both have answered."""
    repeats: int
    flip_rate: float
    """How often an answer of one run is right and the other's to the same task wrong, or scores otherwise."""
    low: float
    """With `high` the 95 % interval of the flip rate."""
    high: float
    difference: float
    """The first run's number minus the second's, which is chance alone."""
    band: float
    """Two runs of the same are as far apart as this, or nearer, 19 times in 20."""
    answers: int
    """Answers per setting, tasks times repeats, that show a true difference of five points with 80 % power between two
    settings which disagree no more than this one with itself; others need more."""

    @property
    def needed_repeats(self) -> int:
        """So many repeats of these tasks are as many answers."""
        return math.ceil(self.answers / self.tasks)


def noise(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> Noise:
    """The noise of two runs; first[i] and second[i] are the scores of task i's repeats. Raises ValueError for none."""
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"noise is measured on two tasks or more, the same twice, not {len(first)} and {len(second)}")
    flips = np.array([np.mean([x != y for x in a for y in b]) for a, b in zip(first, second, strict=True)])
    d = np.array([np.mean(a) - np.mean(b) for a, b in zip(first, second, strict=True)])
    spread = with_pseudo_tasks(d)
    repeats = max(map(len, (*first, *second)))
    low, high = wilson(float(flips.sum()), len(flips))
    return Noise(
        tasks=len(d),
        repeats=repeats,
        flip_rate=float(flips.mean()),
        low=low,
        high=high,
        difference=float(d.mean()),
        band=student(len(d) - 1) * math.sqrt(float((spread**2).mean()) / len(spread)),
        answers=answers_needed(float((d**2).mean()) * repeats),
    )


def answers_needed(variance: float, difference: float = RESOLVED) -> int:
    """Tasks times repeats that show a difference with 80 % power (two-sided, 5 %).

    `variance` is that of a task's difference for one repeat: of right and wrong, the share of tasks that flip. It is
    never less than the difference itself takes (Connor 1987, Biometrics 43:207).
    """
    share = max(variance, difference)
    return math.ceil(((Z95 * math.sqrt(share) + Z80 * math.sqrt(share - difference**2)) / difference) ** 2)
