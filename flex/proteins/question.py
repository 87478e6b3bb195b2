"""The question that is asked about an assay: what it is, its columns, and some labelled mutants."""

import numpy as np

from flex.proteins.assays import LABELLED, Assay
from flex.proteins.residues import DESCRIPTORS

SHOWN = 8
"""Labelled mutants in the question, from the lowest score to the highest."""
LONGEST_SEQUENCE = 600


def question(assay: Assay) -> str:
    """The assay in words and numbers; of the scores only those of labelled mutants."""
    scores = assay.scores[assay.learn]
    low, middle, high = (_short(value) for value in np.quantile(scores, (0, 0.5, 1)))
    lines = [
        f"Assay: {assay.id}",
        f"Protein: {assay.uniprot}, {len(assay.sequence)} residues",
        *([f"Selection type: {assay.selection}"] if assay.selection else []),
        f"Wild type: {_sequence(assay.sequence)}",
        f"Mutants: {len(assay.scores)}, of which {LABELLED} are labelled with their measured DMS_score "
        f"(higher is fitter): from {low} to {high}, median {middle}.",
        "",
        "Wanted: a formula over the columns that ranks the unlabelled mutants as their DMS_score does (Spearman).",
        "",
        "Columns (name: what it is; lowest, median and highest of all mutants):",
        *(column_line(assay, name) for name in assay.columns),
        "",
        f"Some labelled mutants (mutant; DMS_score; {'; '.join(assay.columns)}):",
        *(_row(assay, row) for row in _spread(assay)),
    ]
    return "\n".join(lines)


def _sequence(sequence: str) -> str:
    half = LONGEST_SEQUENCE // 2
    return sequence if len(sequence) <= LONGEST_SEQUENCE else f"{sequence[:half]}...{sequence[-half:]}"


def column_line(assay: Assay, name: str) -> str:
    """A column in a line: what it is, and its lowest, median and highest value."""
    values = assay.columns[name]
    meaning = DESCRIPTORS.get(name, "score of a model")
    return f'- "{name}": {meaning}; {", ".join(_short(value) for value in np.quantile(values, (0, 0.5, 1)))}'


def _spread(assay: Assay) -> list[int]:
    ordered = assay.learn[np.argsort(assay.scores[assay.learn], kind="stable")]
    return [int(ordered[place]) for place in np.linspace(0, len(ordered) - 1, SHOWN).round().astype(int)]


def _row(assay: Assay, row: int) -> str:
    numbers = (assay.scores[row], *(values[row] for values in assay.columns.values()))
    return "; ".join((assay.mutants[row], *map(_short, numbers)))


def _short(value: float) -> str:
    return f"{value:.4g}"
