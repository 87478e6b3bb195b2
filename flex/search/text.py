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

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flex.search.query import EVERYTHING, Filter, Match, searchable, why
from flex.text import MARKUP
from flex.types import Experience, Zone

if TYPE_CHECKING:
    from flex.search.bm25 import Array

GRAM = 4
POSTINGS = 100_000
"""Postings that a query reads in each ranking, those of its rarest terms first.

At 100,000 entries of 1,000 characters an entry is found by 22 of its words as often as with all postings (42 instead of
7 ms), by 6 of its words and 16 of another's within the first ten in .64 instead of .69 of the cases.
"""
_WORD = re.compile(r"\w+")
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_SEPARATORS = [chr(code) for code in range(128) if not _WORD.match(chr(code)) and not chr(code).isspace()]
_ENDINGS = ("ing", "ed", "es", "s", "e")


class SearchIndex:
    """An index of experiences in memory; `put` adds and replaces, `search` ranks."""

    def __init__(self) -> None:
        from flex.search import bm25, terms  # here, because numpy takes 0.1 s to import and few programs search

        self._bm25, self._terms = bm25, terms
        self._words, self._grams = bm25.Ranking(), bm25.Ranking()
        self._table = _Table()

    def put(self, experiences: Iterable[Experience]) -> None:
        """Add these experiences, in place of those with the same ids."""
        latest = {experience.id: experience for experience in experiences}
        self.remove(latest)
        texts = [self._terms.letters(searchable(experience)) for experience in latest.values()]
        self._words.put(self._terms.word_terms(texts))
        self._grams.put([self._terms.gram_terms(text, GRAM) for text in texts])
        self._table.put(list(latest.values()))

    def remove(self, ids: Iterable[str]) -> None:
        """Forget the experiences with these ids; unknown ones are passed over."""
        removed = self._table.remove(ids)
        texts = [self._terms.letters(searchable(experience)) for experience in removed.values()]
        self._words.remove(list(removed), self._terms.word_terms(texts))
        self._grams.remove(list(removed), [self._terms.gram_terms(text, GRAM) for text in texts])

    def search(self, query: str, top_k: int, wanted: Filter = EVERYTHING) -> list[Match]:
        """The best of the wanted experiences, at most `top_k` of those that share anything with the query.

        Best first, equal scores by id.
        """
        asked = self._terms.letters(query)
        by_words = self._words.scores(self._terms.word_terms([asked])[0], POSTINGS)
        by_grams = self._grams.scores(self._terms.gram_terms(asked, GRAM), POSTINGS)
        accepted = self._table.accepted(wanted)
        shares = [scores / (scores.max(initial=0) or 1) for scores in (by_words * accepted, by_grams * accepted)]
        # rounded so that the last bits of a machine's arithmetic decide nothing
        fused = ((shares[0] + shares[1]) / 2).round(9)
        places = self._bm25.best(fused, top_k, self._table.ids)
        return [Match(self._table.ids[n], float(fused[n]), why([float(share[n]) for share in shares])) for n in places]

    def copy(self) -> "SearchIndex":
        """An index of the same experiences that later changes of this one do not reach; shares what it can."""
        copy = SearchIndex()
        copy._words, copy._grams = self._words.copy(), self._grams.copy()
        copy._table = self._table.copy()
        return copy


def rank_texts(query: str, texts: Sequence[str], top_k: int) -> list[int]:
    """The indices of the texts that match the query best, best first; equal ones in order."""
    index = SearchIndex()
    index.put(Experience(text, id=f"{place:09d}") for place, text in enumerate(texts))
    return [int(found.id) for found in index.search(query, top_k)]


def normalised(text: str) -> str:
    """The text in lower case, with one spelling for compatible characters (`²` is `2`)."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


def words(plain: str) -> list[str]:
    """The words of a normalised text, in order: those that `_WORD` finds, in half the time."""
    foreign = set() if plain.isascii() else set(_FOREIGN.findall(plain))
    for mark in (*_SEPARATORS, *(each for each in foreign if not each.isalnum())):
        if mark in plain:
            plain = plain.replace(mark, " ")
    return plain.split()


def unmarked(text: str) -> str:
    """The text without white space and TeX markup."""
    text = "".join(text.split())
    for mark in MARKUP:  # six times faster than str.translate
        text = text.replace(mark, "")
    return text


def stem(word: str) -> str:
    """A word without its ending, roughly: enough for `divides`, `divided` and `dividing` to meet."""
    for ending in _ENDINGS if len(word) > 4 else ():
        if word.endswith(ending):
            return word[: -len(ending)]
    return word


class _Table:
    """The experiences in rows, in the order in which they came, and which rows a filter accepts.

    Filters are asked once for each kind: experiences of the same zone, category and priority.
    """

    def __init__(self) -> None:
        import numpy as np

        self._np = np
        self.ids: list[str] = []
        self._experiences: dict[str, Experience] = {}
        self._rows: dict[str, int] = {}
        self._kinds: dict[tuple[Zone, str, int], int] = {}
        """The number of each kind, in order from 0."""
        self._kind_of: Array = np.zeros(0, np.int32)
        """By row."""
        self._alive: Array = np.zeros(0, bool)

    def copy(self) -> "_Table":
        copy = _Table()
        copy.__dict__.update(self.__dict__)
        copy.ids, copy._rows, copy._experiences = list(self.ids), dict(self._rows), dict(self._experiences)
        copy._kinds = dict(self._kinds)
        return copy

    def put(self, experiences: Sequence[Experience]) -> None:
        self._experiences.update((experience.id, experience) for experience in experiences)
        self._rows.update((e.id, len(self.ids) + n) for n, e in enumerate(experiences))
        self.ids += [experience.id for experience in experiences]
        kinds = [(e.zone, e.problem_category, e.priority) for e in experiences]
        numbers = [self._kinds.setdefault(kind, len(self._kinds)) for kind in kinds]
        self._kind_of = self._np.append(self._kind_of, self._np.array(numbers, self._np.int32))
        self._alive = self._np.append(self._alive, self._np.ones(len(experiences), bool))

    def remove(self, ids: Iterable[str]) -> dict[int, Experience]:
        """Forget these ids; the rows that they had, and the experiences there."""
        known = [experience_id for experience_id in dict.fromkeys(ids) if experience_id in self._rows]
        removed = {self._rows.pop(each): self._experiences.pop(each) for each in known}
        self._alive = self._alive.copy()
        self._alive[list(removed)] = False
        return removed

    def accepted(self, wanted: Filter) -> "Array":
        """Which rows may be found."""
        accepted = self._alive.copy()
        if replace(wanted, hidden=()) != EVERYTHING:
            by_kind = self._np.array([wanted.accepts_kind(*kind) for kind in self._kinds], bool)
            accepted &= by_kind[self._kind_of]
        accepted[[self._rows[hidden] for hidden in wanted.hidden if hidden in self._rows]] = False
        return accepted
