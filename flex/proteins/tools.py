"""The tools of an agent that works on an assay: they know the labelled mutants, and of the others only the columns."""

import numpy as np

from flex.errors import ParseError
from flex.proteins.assays import Assay
from flex.proteins.question import column_line
from flex.proteins.ranks import Floats, average_ranks, spearman

FOLDS = 5
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
MOST_TERMS = 40
"""Terms of a ridge formula; the others are the smallest."""


class AssayTools:
    """Describe the columns, try a formula, fit a ridge regression."""

    def __init__(self, assay: Assay) -> None:
        self._assay = assay
        self._scores = assay.scores[assay.learn]
        order = np.argsort(self._scores, kind="stable")
        self._folds = [order[start::FOLDS] for start in range(FOLDS)]
        """Places among the labelled mutants; each fold has low and high scores."""

    def describe_columns(self) -> str:
        """List all columns with their Spearman correlation with the measured scores of the labelled mutants.

        Returns:
            One line per column: its name, its Spearman correlation with DMS_score on the labelled mutants, and its
            lowest, median and highest value; the strongest correlation comes first.
        """
        columns, learn = self._assay.columns, self._assay.learn
        found = {name: spearman(values[learn], self._scores) for name, values in columns.items()}
        strongest = sorted(found, key=lambda name: (-abs(found[name]), name))
        return "\n".join(f"Spearman {found[name]:+.3f} {column_line(self._assay, name)}" for name in strongest)

    def try_formula(self, formula: str) -> str:
        """Tell the Spearman correlation of a formula with the labelled mutants, cross-validated too, or what is wrong.

        Args:
            formula: Such as 'rank("ESM-IF1") + 0.5 * z(hydropathy)'.

        Returns:
            Its Spearman correlation with DMS_score on all labelled mutants and on each of five parts of them, or what
            is wrong with the formula.
        """
        assay = self._assay
        try:
            found = assay.learned(formula)
            values = assay.values(formula)[assay.learn]
        except ParseError as error:
            return f"The formula cannot be used: {error}"
        parts = [spearman(values[part], self._scores[part]) for part in self._folds]
        return (
            f"Spearman {found:.4f} on the {len(assay.learn)} labelled mutants; "
            f"cross-validated in {FOLDS} parts {np.mean(parts):.4f} ({', '.join(f'{part:.2f}' for part in parts)})"
        )

    def fit_ridge(self, columns: str = "") -> str:
        """Fit a ridge regression to the labelled mutants: a line with its formula, then its cross-validated Spearman.

        Args:
            columns: Names of the columns to use, separated by commas; empty for all of them.

        Returns:
            The formula, and its cross-validated Spearman correlation on the labelled mutants; or what is wrong.
        """
        names = [name.strip().strip("\"'`") for name in columns.split(",") if name.strip()] or list(self._assay.columns)
        if unknown := [name for name in names if name not in self._assay.columns]:
            return f"There is no column '{unknown[0]}'; there is {', '.join(self._assay.columns)}"
        formula, found, penalty = self._ridge(names)
        if not formula:
            return "These columns are the same for all labelled mutants; choose others."
        return f"{formula}\ncross-validated Spearman {found:.4f} (penalty {penalty:g})"

    def ridge_formula(self) -> str:
        """The formula of a ridge regression on all columns."""
        return self._ridge(list(self._assay.columns))[0]

    def _ridge(self, names: list[str]) -> tuple[str, float, float]:
        """Formula, cross-validated Spearman and penalty, chosen by cross-validation; targets are the scores' ranks."""
        names = [name for name in dict.fromkeys(names) if self._assay.columns[name].std() > 0]
        if not names:
            return "", 0.0, 0.0
        values = np.stack([_z(self._assay.columns[name])[self._assay.learn] for name in names], axis=1)
        ranks = _z(average_ranks(self._scores))
        tried = [(self._validated(values, ranks, penalty), penalty) for penalty in PENALTIES]
        found, penalty = max(tried)
        weights = _weights(values, ranks, penalty)
        kept = sorted(np.argsort(-np.abs(weights), kind="stable")[:MOST_TERMS])
        terms = [f'{weights[k]:+.4f} * z("{names[k]}")' for k in kept if round(float(weights[k]), 4)]
        return " ".join(terms).removeprefix("+").replace(" +", " + ").replace(" -", " - "), found, penalty

    def _validated(self, values: Floats, ranks: Floats, penalty: float) -> float:
        predicted = np.empty(len(ranks))
        for part in self._folds:
            others = np.setdiff1d(np.arange(len(ranks)), part)
            predicted[part] = values[part] @ _weights(values[others], ranks[others], penalty)
        return round(spearman(predicted, self._scores), 6)


def _z(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))


def _weights(values: Floats, wanted: Floats, penalty: float) -> Floats:
    gram = values.T @ values + penalty * np.eye(values.shape[1])
    found: Floats = np.linalg.solve(gram, values.T @ (wanted - wanted.mean()))
    return found
