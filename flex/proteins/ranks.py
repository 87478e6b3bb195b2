"""Ranks and Spearman's correlation."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def average_ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(mean_ranks[inverse])


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation with ties, from -1 to 1; 0 where one side is constant or has fewer than two values.

    Raises ValueError when the sides differ in length.
    """
    if len(a) != len(b):
        raise ValueError(f"a correlation needs two columns of one length, not {len(a)} and {len(b)}")
    if len(a) < 2:
        return 0.0
    x, y = (average_ranks(values) - (len(values) + 1) / 2 for values in (a, b))
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return min(1.0, max(-1.0, float(x @ y) / scale)) if scale else 0.0
