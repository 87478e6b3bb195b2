"""Which comparison of a table is the primary one, and what may be said of all of them together.

However many comparisons a table has, the chance that it prints a "better" or "worse" where there is no difference is
5 % at most. Measured: `python bench/intervals.py --tables`.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from flex.evaluation.statistics import Difference, Role, shown

Pair = tuple[str, str]

PRIMARY: tuple[Pair, ...] = (
    *(("flex", other) for other in ("agent", "flex-empty", "vanilla", "icl", "flex-chat", "flex-shuffled")),
    *(("flex-chat", other) for other in ("vanilla", "icl", "agent")),
)
"""The primary comparison unless one is named: the first whose settings are both there. The order is fixed, never the
results': first what lacks only the experience, then what lacks more, last what has some of it."""
ALPHA = 0.05
RESERVED = 0.01
"""The share of the 5 % that the other comparisons have even where the primary one shows nothing."""


def default_primary(settings: Collection[str]) -> Pair | None:
    """The primary comparison of these settings where nobody named one; None where none is more to the point."""
    return next((pair for pair in PRIMARY if {*pair} <= {*settings}), None)


def primary_in(differences: Sequence[Difference]) -> Difference | None:
    """The comparison of a table that counts, None where there is no such one."""
    return next((d for d in differences if d.role in ("primary", "afterwards")), None)


def footnote(differences: Sequence[Difference]) -> str:
    """What the numbers of a table are, in a line: its intervals, its adjusted p, and what is not tested."""
    tested, aside = (sum((d.role == "aside") is out for d in differences) for out in (False, True))
    if tested < 2:
        return ""
    parts = ["95 % intervals are each comparison's own", f"adjusted: p, {tested} comparisons considered"]
    if aside:
        first = primary_in(differences)
        parts.append(f"not tested: {aside} without {first.a if first else 'it'}")
    return "; ".join(parts)


def role_of(a: str, b: str, primary: Pair | None, *, afterwards: bool = False) -> Role:
    """What the comparison of two settings is in its table.

    Named before the run, the primary one says which setting it is all about: comparisons without that one are aside.
    """
    if primary is None or {a, b} == {*primary}:
        return "secondary" if primary is None else "afterwards" if afterwards else "primary"
    return "secondary" if afterwards or primary[0] in (a, b) else "aside"


def judged(differences: Sequence[Difference]) -> list[Difference]:
    """The comparisons of one table with the p and the verdicts that they have together.

    A primary comparison is tested at 4.95 %. Where it shows a difference, the others share 5 %, else the 0.05 % that
    are left, each time by Holm's procedure (1979, Scand. J. Statistics 6:65): the fallback procedure of Wiens (2003,
    Pharm. Stat. 2:211) in the graphs of Bretz et al. (2009, Stat. Med. 28:586), which keeps the family-wise error at
    5 % whatever is true and however the comparisons depend on one another. Without a primary one, or with one that
    was named when the results were known, all of them share 5 %.
    """
    first = next((place for place, d in enumerate(differences) if d.role == "primary"), None)
    others = [place for place, d in enumerate(differences) if d.role in ("secondary", "afterwards")]
    adjusted = dict(zip(others, holm([_p(differences[place]) for place in others]), strict=True))
    why = f"adjusted for {len(others) + (first is not None)} comparisons"
    if first is not None:
        gate = min(1.0, _p(differences[first]) / (1 - RESERVED if others else 1))
        adjusted = {place: min(1.0, p / RESERVED, max(gate, p)) for place, p in adjusted.items()} | {first: gate}
        why = why if gate <= ALPHA else "adjusted; the primary comparison shows none"
    return [_spoken(d, adjusted.get(place), why) for place, d in enumerate(differences)]


def holm(ps: Sequence[float]) -> list[float]:
    """The p of each test adjusted for all of them, in the order given."""
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


def _p(d: Difference) -> float:
    """The p that counts: what has too few answers to be judged shows nothing, and goes on counting as a comparison."""
    return 1.0 if d.incomplete else d.p


def _spoken(d: Difference, p: float | None, why: str) -> Difference:
    """The comparison with its adjusted p, None where nothing is tested, and what may be said of it."""
    verdict, no_worse = "not tested", d.role == "primary" and d.no_worse
    if d.incomplete:
        p, no_worse = None, False
        verdict = f"no verdict: {d.unanswered:,} of {d.pairs:,} pairs unanswered; the same command answers them"
    elif p is not None:
        nothing = f"no difference shown ({why if shown(d.low, d.high, d.p) else d.reach})"
        verdict = shown(d.low, d.high, p) or (f"no worse than {100 * d.margin:g} points" if no_worse else nothing)
    return replace(d, verdict=verdict, p_adjusted=p, no_worse=no_worse)
