"""Average ProteinGym's per-assay results as it does: python scripts/proteingym_average.py TABLE.csv [MODEL ...]."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from flex.errors import BenchmarkError
from flex.proteins.assays import reference_rows
from flex.proteins.proteingym import AssayScore, by_selection, proteingym_average

NO_MODEL = ("number of mutants", "number_mutants")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="such as DMS_substitutions_Spearman_DMS_level.csv")
    parser.add_argument("models", nargs="*", help="columns; default: all that hold numbers")
    args = parser.parse_args(argv)
    try:
        for model in args.models or numeric(args.table):
            scores = published_scores(args.table, model)
            types = ", ".join(f"{name} {mean:.3f}" for name, mean in by_selection(scores).items())
            plain = fmean(score.score for score in scores)
            print(f"{model}: {proteingym_average(scores):.3f} ({types}); plain mean of assays {plain:.3f}")
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def published_scores(table: Path, column: str) -> list[AssayScore]:
    """A model's column in ProteinGym's per-assay table (`DMS_substitutions_Spearman_DMS_level.csv`).

    Raises BenchmarkError.
    """
    return [AssayScore(uniprot, selection, score_in(table, id, row, column))
            for id, uniprot, selection, row in reference_rows(table)]  # fmt: skip


def score_in(table: Path, id: str, row: Mapping[str, str], column: str) -> float:
    try:
        return float(row[column])
    except KeyError:
        raise BenchmarkError(f"{table} has no column '{column}'; there is {', '.join(row)}") from None
    except ValueError:
        raise BenchmarkError(f"{table}: '{row[column][:40]}' of {id} in column '{column}' is no number") from None


def numeric(table: Path) -> list[str]:
    """The columns in which every assay has a number."""
    rows = [row for *_, row in reference_rows(table)]
    names = [name for name in (rows[0] if rows else ()) if name.casefold() not in NO_MODEL]
    return [name for name in names if all(is_number(row[name]) for row in rows)]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
