"""Text, structure and vectors searched together: their rankings made into one, by reciprocal ranks.

A ranking counts `weight / (offset + place)` for each experience in it, equal scores share a place, and the sums decide.

Structure counts three times as much as text, without an offset: the same molecule always comes first, and the best text
is fourth at the latest. Recall@1 / recall@5, text alone against text and structure:

    retro_gpt.json, the product of each entry                            .92 / .96    1.00 / 1.00
    the same, SMILES spelled at random                                   .58 / .77    1.00 / 1.00
    the same, and only the largest reactant left in the entries          .46 / .71     .98 / 1.00
    libraries of the apprentice, a product that is in them               .62 / .86    1.00 / 1.00
    retro_demo.json, a new product: first entry whose template is right  .26 / .56     .45 /  .81
    the same, by whole molecules alone, without asking for templates                   .34 /  .72

With the usual offset of 60 a random spelling finds its entry first in .78 only.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from flex.chemistry.smiles import products_in
from flex.search.query import Filter, Match

OFFSET = 60
"""Usual: being in both rankings counts more than leading one."""
STRUCTURE = 3.0
"""The weight of structure where text has 1: from 2 on nothing overtakes the same molecule, 3 finds most templates."""
POOL = 50
"""Of each ranking, the first so many are fused."""


class Searched(Protocol):
    """What is searched: an index of text, of structure or of vectors."""

    def search(self, query: str, top_k: int, wanted: Filter) -> list[Match]: ...


def search_together(
    query: str,
    top_k: int,
    wanted: Filter,
    text: Searched,
    vectors: Searched | None,
    structure: Callable[[Sequence[Match]], Searched],
) -> list[Match]:
    """The best of text and, if there are any, vectors; with structure where the query names a molecule.

    `structure` makes of what the others have found the index of structures to search.
    """
    names_molecules = bool(products_in(query))
    if vectors is None and not names_molecules:
        return text.search(query, top_k, wanted)
    pool = max(top_k, POOL)
    found = text.search(query, pool, wanted)
    if vectors is not None:
        found = reciprocal([(found, 1.0), (vectors.search(query, pool, wanted), 1.0)], pool)
    alike = structure(found).search(query, pool, wanted) if names_molecules else []
    return fused(found, alike, top_k)


def fused(text: Sequence[Match], structure: Sequence[Match], top_k: int) -> list[Match]:
    """The best of text and structure together; text as it is when nothing was found by structure."""
    if not structure:
        return list(text[: max(top_k, 0)])
    return reciprocal([(structure, STRUCTURE), (text, 1.0)], top_k, offset=0)


def reciprocal(rankings: Sequence[tuple[Sequence[Match], float]], top_k: int, *, offset: float = OFFSET) -> list[Match]:
    """The best of several rankings, each with a weight; scores are relative to leading them all, 1 at most.

    Equal scores keep the order of the first ranking that has them.
    """
    most = sum(weight for _, weight in rankings) / (offset + 1)
    sums: dict[str, float] = {}
    whys: dict[str, str] = {}
    for ranking, weight in rankings:
        for found, place in zip(ranking, _ranks(ranking), strict=True):
            sums[found.id] = sums.get(found.id, 0.0) + weight / (offset + place)
            whys[found.id] = f"{whys[found.id]}, {found.why}" if found.id in whys else found.why
    scores = {key: round(total / most, 9) for key, total in sums.items()}
    ordered = sorted(scores, key=lambda key: -scores[key])
    return [Match(key, scores[key], whys[key]) for key in ordered[: max(top_k, 0)]]


def _ranks(ranking: Sequence[Match]) -> list[int]:
    """The rank of each, from 1; equal scores share the best of their ranks."""
    places: list[int] = []
    for number, found in enumerate(ranking):
        same = number > 0 and found.score == ranking[number - 1].score
        places.append(places[-1] if same else number + 1)
    return places
