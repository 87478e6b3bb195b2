"""Hill climbing over sums of ranks: the formula to try next, given the scores of those that were tried.

Nothing is known of a column but its name; even its sign is learned from a score. So without scores the formulas rank no
better than chance, however many are tried.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from flex.apprentice.protein.formulas import formula_of, rank_of, terms_of

SINGLE_COLUMNS = 20
"""Columns that are tried alone before any two are put together: half of the 40 rounds of a run. Of a wider table the
others come in as they are added."""
RANDOM_SUMS = 1000
ADDED = 0.5
"""The weight of a further column. Less than the first one's: of five real assays, 8 draws of 100 mutants each, 40
rounds reach .766 with a half, .754 with 1, .765 with 0.35."""
UNKNOWN = 0.25
"""How well a column is assumed to rank that was not tried alone."""

Scores = Mapping[str, float | None]
"""By formula, as `formula_of` writes it; None where a formula could not be used or its score is not known."""


def next_formula(columns: Sequence[str], tried: Scores, known: Sequence[str], seed: str) -> str:
    """A formula not tried yet: one known from elsewhere, then a single column, then a change of the best so far.

    When nothing is left to try, the best so far.
    """
    ordered = sorted(columns, key=lambda column: _random_bytes(seed, column))
    scores = with_reversed(tried)
    best = best_of(tried) or ""
    alone = () if len(terms_of(best)) > 1 else (guess(column, seed) for column in ordered[:SINGLE_COLUMNS])
    promising = (*known, *(formula for formula in alone if _reversed(formula) not in tried))
    for proposals in (promising, _changes(best, ordered, scores, seed), _random_sums(ordered, seed)):
        if formula := next((formula for formula in proposals if formula not in tried), None):
            return formula
    return best or guess(ordered[0], seed)


def guess(column: str, seed: str) -> str:
    """A column alone, with a random sign."""
    return formula_of({rank_of(column): _random_sign(seed, column)})


def best_of(tried: Scores) -> str | None:
    """The formula with the highest score, or the reverse of one with a lower negative score; None without scores."""
    scores = with_reversed(tried)
    return max(scores, key=lambda formula: (scores[formula], formula), default=None)


def with_reversed(tried: Scores) -> dict[str, float]:
    """The known scores, and those of the formulas with all signs reversed, which need no trial."""
    scored = {formula: score for formula, score in tried.items() if score is not None}
    return {_reversed(formula): -score for formula, score in scored.items()} | scored


@lru_cache(maxsize=4096)
def _reversed(formula: str) -> str:
    return formula_of({term: -weight for term, weight in terms_of(formula).items()})


def _changes(best: str, columns: Sequence[str], scores: Mapping[str, float], seed: str) -> list[str]:
    """The neighbours of a formula, the most promising first: columns that rank well alone are added first."""
    terms = terms_of(best)
    if not terms:
        return []
    alone = {rank_of(column): scores.get(formula_of({rank_of(column): 1.0})) for column in columns}
    strength = {term: UNKNOWN if score is None else abs(score) for term, score in alone.items()}
    changes: list[tuple[float, dict[str, float]]] = []
    for column in columns:
        if (term := rank_of(column)) not in terms:
            score, size = alone[term], strength[term]
            weight = ADDED * (_random_sign(seed, column) if score is None else 1.0 if score > 0 else -1.0)
            changes.append((size, {**terms, term: weight}))
            changes.append((0.8 * size, {**terms, term: weight / 2}))
            changes.append((0.1 * size, {**terms, term: -weight}))
    for term, weight in terms.items() if len(terms) > 1 else ():
        size = strength.get(term, UNKNOWN)
        changes.append((0.2 * (1 - size), {**terms, term: weight / 2}))
        changes.append((0.2 * (1 - size), {other: w for other, w in terms.items() if other != term}))
        changes.append((0.2 * size, {**terms, term: weight * 2}))
    return [formula_of(changed) for _, changed in sorted(changes, key=lambda change: -change[0])]


def _random_sums(columns: Sequence[str], seed: str) -> Iterator[str]:
    """Two or three columns with random weights."""
    for turn in range(RANDOM_SUMS):
        drawn = sorted(columns, key=lambda column: _random_bytes(seed, turn, column))[: 2 + turn % 2]
        weights = ((1 + _random_bytes(seed, turn, "weight", column)[0] % 8) / 8 for column in drawn)
        signed = zip(drawn, weights, strict=True)
        yield formula_of({rank_of(c): weight * _random_sign(f"{seed}\n{turn}", c) for c, weight in signed})


def _random_sign(seed: str, column: str) -> float:
    return 1.0 if _random_bytes(seed, "sign", column)[0] % 2 else -1.0


def _random_bytes(*seed: object) -> bytes:
    """The same bytes for the same seed, on every machine."""
    return hashlib.sha256("\n".join(map(str, seed)).encode()).digest()
