"""ProteinGym's way to average: assays of a protein first, then proteins, then what was selected for.

As its performance script does: the mean over assays for each pair of UniProt id and selection type, the mean of these
for each selection type, and the mean of those (Notin et al. 2023, ProteinGym, NeurIPS Datasets and Benchmarks).
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class AssayScore:
    """The score of one assay, and where it belongs."""

    uniprot: str
    selection: str
    score: float


def proteingym_average(scores: Iterable[AssayScore]) -> float:
    """The mean over selection types; 0 of nothing."""
    return fmean(by_selection(scores).values() or [0.0])


def by_selection(scores: Iterable[AssayScore]) -> dict[str, float]:
    """For each selection type the mean over its proteins, in alphabetical order."""
    proteins = _means(((score.uniprot, score.selection), score.score) for score in scores)
    return _means((selection, score) for (_, selection), score in proteins.items())


def _means(pairs: Iterable[tuple[K, float]]) -> dict[K, float]:
    found: dict[K, list[float]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: fmean(found[key]) for key in sorted(found, key=str)}
