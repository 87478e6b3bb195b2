"""ProteinGym's way to average: assays of a protein first, then proteins, then what was selected for.

As its performance script does: the mean over assays for each pair of UniProt id and selection type, the mean of these
for each selection type, and the mean of those (Notin et al. 2023, ProteinGym, NeurIPS Datasets and Benchmarks).
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from flex.errors import BenchmarkError
from flex.proteins.assays import reference_rows

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


def published_scores(table: Path, column: str) -> list[AssayScore]:
    """A model's column in ProteinGym's per-assay table (`DMS_substitutions_Spearman_DMS_level.csv`).

    Raises BenchmarkError.
    """
    return [AssayScore(uniprot, selection, _score(table, id, row, column))
            for id, uniprot, selection, row in reference_rows(table)]  # fmt: skip


def _score(table: Path, id: str, row: Mapping[str, str], column: str) -> float:
    try:
        return float(row[column])
    except KeyError:
        raise BenchmarkError(f"{table} has no column '{column}'; there is {', '.join(row)}") from None
    except ValueError:
        raise BenchmarkError(f"{table}: '{row[column][:40]}' of {id} in column '{column}' is no number") from None


def _means(pairs: Iterable[tuple[K, float]]) -> dict[K, float]:
    found: dict[K, list[float]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: fmean(found[key]) for key in sorted(found, key=str)}
