"""Which of all the reactants that known templates propose is most like what worked before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

from flex.apprentice.chemistry.molecules import canonical, molecule
from flex.apprentice.chemistry.templates import apply

_GENERATOR = rdFingerprintGenerator.GetMorganGenerator(radius=3)
FLOOR = 0.05
"""What a precedent is worth that has nothing in common with the query."""


@dataclass(frozen=True, slots=True)
class Precedent:
    """A reaction that was seen: product and reactants as SMILES."""

    product: str
    reactants: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """A template with the reactions that support it."""

    template: str
    precedents: tuple[Precedent, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Proposed reactants (canonical) with their score and the lesson that counts most for them."""

    reactants: str
    score: float
    lesson: Lesson


def propose(product: str, lessons: Iterable[Lesson]) -> list[Candidate]:
    """Every proposal of the lessons for the product, best first; equal scores in alphabetical order."""
    best: dict[str, tuple[float, Lesson]] = {}
    total: dict[str, float] = {}
    for lesson in sorted(merged(lessons), key=lambda entry: entry.template):
        roots = _roots(lesson)
        if roots is None:
            continue
        outcomes = apply(lesson.template, product)
        for outcome in outcomes:
            score = _support(product, outcome.centre, roots) / sqrt(len(outcomes))
            total[outcome.reactants] = total.get(outcome.reactants, 0.0) + score
            if score > best.get(outcome.reactants, (0.0, lesson))[0]:
                best[outcome.reactants] = score, lesson
    ranked = sorted(total, key=lambda reactants: (-round(total[reactants], 12), reactants))
    return [Candidate(reactants, total[reactants], best[reactants][1]) for reactants in ranked]


def merged(lessons: Iterable[Lesson]) -> list[Lesson]:
    """One lesson for each template, with all its precedents once."""
    found: dict[str, Lesson] = {}
    for lesson in lessons:
        known = found.get(lesson.template, Lesson(lesson.template))
        precedents = dict.fromkeys((*known.precedents, *lesson.precedents))
        found[lesson.template] = Lesson(lesson.template, tuple(precedents), known.name or lesson.name)
    return list(found.values())


def _support(product: str, centre: tuple[int, ...], roots: Sequence[tuple[str, tuple[int, ...]]]) -> float:
    if not roots:
        return FLOOR**2 * len(centre)  # nothing to compare with: the more specific pattern first
    query = _fingerprint(product, centre)
    return sum((DataStructs.TanimotoSimilarity(query, _fingerprint(*root)) + FLOOR) ** 2 for root in roots)


def _roots(lesson: Lesson) -> list[tuple[str, tuple[int, ...]]] | None:
    """Where each precedent reacted; None when the template contradicts all of its own examples."""
    found = {
        (precedent.product, outcome.centre)
        for precedent in lesson.precedents
        for outcome in apply(lesson.template, precedent.product)
        if outcome.reactants == canonical(precedent.reactants)
    }
    return None if lesson.precedents and not found else sorted(found)


@lru_cache(maxsize=32768)
def _fingerprint(product: str, centre: tuple[int, ...]) -> DataStructs.ULongSparseIntVect:
    """Counts of the environments around the reaction centre, up to three bonds away."""
    counts: DataStructs.ULongSparseIntVect
    counts = _GENERATOR.GetSparseCountFingerprint(molecule(product), fromAtoms=list(centre))
    return counts
