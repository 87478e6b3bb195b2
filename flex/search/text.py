"""Full-text search: BM25 over words and over character 4-grams, fused.

Two rankings of the same texts. *Words* are lower-cased and lightly stemmed. *4-grams* run over the text without white
space and TeX markup: `$n^{2} - 19n$` meets `n^2-19n`, and a SMILES its relatives. Each ranking's scores are divided by
its best score and the two are averaged: 1 leads both. A query is text, never syntax. Recall@1 / recall@5 of the entry
that a training problem led to:

                                        aime_claude.json    retro_gpt.json
    words and 4-grams, mean                1.00 / 1.00         .92 / .96
    words and 4-grams, reciprocal rank      .97 / 1.00         .90 / .96
    words alone                             .97 / 1.00         .82 / .90
    4-grams alone                          1.00 / 1.00         .84 / .94
    3-grams or 5-grams, mean               1.00 / 1.00         .86 / .96, .90 / .96
    4-grams with TeX markup, mean           .97 / 1.00         .92 / .96
    numbers apart from letters, mean       1.00 / 1.00         .86 / .96
"""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from flex.search.bm25 import Array, Ranking, best
from flex.search.query import EVERYTHING, Filter, Match, searchable, why
from flex.search.terms import gram_terms, normalised, word_terms
from flex.types import Experience, Zone

POSTINGS = 100_000
"""Postings that a query reads in each ranking, those of its rarest terms first.

At 100,000 entries of 1,000 characters an entry is found by 22 of its words as often as with all postings (42 instead of
7 ms), by 6 of its words and 16 of another's within the first ten in .64 instead of .69 of the cases.
"""


class SearchIndex:
    """An index of experiences in memory; `put` adds and replaces, `search` ranks.

    Experiences are rows, in the order in which they came. Filters are asked once for each kind of them: those of the
    same zone, category and priority.
    """

    def __init__(self) -> None:
        self._words, self._grams = Ranking(), Ranking()
        self._ids: list[str] = []
        """By row."""
        self._rows: dict[str, int] = {}
        self._experiences: dict[str, Experience] = {}
        self._kinds: dict[tuple[Zone, str, int], int] = {}
        """The number of each kind, in order from 0."""
        self._kind_of: Array = np.zeros(0, np.int32)
        """By row."""

    def put(self, experiences: Iterable[Experience]) -> None:
        """Add these experiences, in place of those with the same ids."""
        latest = {experience.id: experience for experience in experiences}
        if not latest:
            return  # asked before every search
        self.remove(latest)
        texts = [normalised(searchable(experience)) for experience in latest.values()]
        self._words.put([word_terms(text) for text in texts])
        self._grams.put([gram_terms(text) for text in texts])
        self._rows.update(zip(latest, range(len(self._ids), len(self._ids) + len(latest)), strict=True))
        self._ids += latest
        self._experiences.update(latest)
        kinds = [(e.zone, e.problem_category, e.priority) for e in latest.values()]
        numbers = [self._kinds.setdefault(kind, len(self._kinds)) for kind in kinds]
        self._kind_of = np.append(self._kind_of, np.array(numbers, np.int32))

    def remove(self, ids: Iterable[str]) -> None:
        """Forget the experiences with these ids; unknown ones are passed over."""
        known = [experience_id for experience_id in dict.fromkeys(ids) if experience_id in self._rows]
        if not known:
            return
        rows = [self._rows.pop(experience_id) for experience_id in known]
        texts = [normalised(searchable(self._experiences.pop(experience_id))) for experience_id in known]
        self._words.remove(rows, [word_terms(text) for text in texts])
        self._grams.remove(rows, [gram_terms(text) for text in texts])

    def search(self, query: str, top_k: int, wanted: Filter = EVERYTHING) -> list[Match]:
        """The best of the wanted experiences that share anything with the query, best first, equal scores by id."""
        plain = normalised(query)
        by_words = self._words.scores(word_terms(plain), POSTINGS)
        by_grams = self._grams.scores(gram_terms(plain), POSTINGS)
        accepted = self._accepted(wanted)
        shares = [scores / (scores.max(initial=0) or 1) for scores in (by_words * accepted, by_grams * accepted)]
        # rounded so that the last bits of a machine's arithmetic decide nothing
        fused = ((shares[0] + shares[1]) / 2).round(9)
        return [
            Match(self._ids[row], float(fused[row]), why([float(share[row]) for share in shares]))
            for row in best(fused, top_k, self._ids)
        ]

    def copy(self) -> "SearchIndex":
        """An index of the same experiences that later changes of this one do not reach; shares what it can."""
        other = copy(self)
        other._words, other._grams = self._words.copy(), self._grams.copy()
        other._ids, other._rows = list(self._ids), dict(self._rows)
        other._experiences, other._kinds = dict(self._experiences), dict(self._kinds)
        return other

    def _accepted(self, wanted: Filter) -> Array:
        """Which rows may be found; those of removed experiences score nothing anyway."""
        accepted = np.ones(len(self._ids), bool)
        if replace(wanted, hidden=()) != EVERYTHING:
            accepted = np.array([wanted.accepts_kind(*kind) for kind in self._kinds], bool)[self._kind_of]
        accepted[[self._rows[hidden] for hidden in wanted.hidden if hidden in self._rows]] = False
        return accepted


def rank_texts(query: str, texts: Sequence[str], top_k: int) -> list[int]:
    """The indices of the texts that match the query best, best first; equal ones in order."""
    index = SearchIndex()
    index.put(Experience(text, id=f"{place:09d}") for place, text in enumerate(texts))
    return [int(found.id) for found in index.search(query, top_k)]
