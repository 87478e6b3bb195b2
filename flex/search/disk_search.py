"""One query of the index on disk: the best documents of each of the two rankings, and of both together."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import tantivy

from flex.search.query import Filter, Match, searchable, why
from flex.search.terms import GRAM, normalised, stem, unmarked, words
from flex.search.text import POSTINGS
from flex.text import valid_utf8
from flex.types import Experience

POOL = 50
"""Documents of each ranking that are compared, at least; the others count as just below them."""
LARGEST_POOL = 100_000
"""The most documents that are searched for enough that are neither stale nor hidden."""
Current = Callable[[Sequence[str]], Mapping[str, int]]
"""From ids to the number of the change that made each entry what it is now; those that are removed are left out."""


class Search:
    """One query, answered by documents that are neither stale nor hidden."""

    def __init__(self, searcher: Any, query: str, wanted: Filter, current: Current) -> None:
        self._searcher = searcher
        self._conditions = list(_conditions(wanted))
        self._hidden = frozenset(wanted.hidden)
        self._current = current
        plain = _plain(query)
        self._queries = [self._query("words", _stems(plain)), self._query("grams", _grams(unmarked(plain)))]

    def best(self, top_k: int) -> list[Match]:
        """The best of both rankings, by the mean of their scores, each divided by the best of its ranking."""
        pools = [self._pool(query, top_k) for query in self._queries]
        shares = {one: [scores.get(one, rest) for scores, rest in pools] for pool, _ in pools for one in pool}
        found = [Match(one, round(sum(both) / len(both), 5), why(both)) for one, both in shares.items()]
        return sorted(found, key=lambda one: (-one.score, one.id))[:top_k]

    def _pool(self, query: Any, top_k: int) -> tuple[dict[str, float], float]:
        """The best of one ranking, by id their share of the best score; and the most that the rest can have.

        Equal ones at its end are in it all, or none of them.
        """
        size = max(POOL, 2 * top_k)
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, one) for one in (query, *self._conditions)])
        while True:
            hits = self._searcher.search(query, size, count=False).hits
            least = _rounded(hits[-1][0]) if len(hits) == size < LARGEST_POOL else 0.0
            scores = self._valid([hit for hit in hits if _rounded(hit[0]) > least])
            if len(scores) >= top_k or not least:
                most = max(scores.values(), default=1.0)
                return {one: score / most for one, score in scores.items()}, least / most
            size *= 4

    def _valid(self, hits: Sequence[tuple[float, Any]]) -> dict[str, float]:
        """By id, the scores of these documents, without those that are stale or hidden."""
        found = [(*json.loads(self._searcher.doc(address)["entry"][0]), score) for score, address in hits]
        numbers = self._current([one for _, one, _ in found])
        alive = ((one, score) for number, one, score in found if number == numbers.get(one))
        return {one: score for one, score in alive if one not in self._hidden}

    def _query(self, field: str, terms: Sequence[str]) -> Any:
        """A query for the rarest of the terms, up to POSTINGS together; each counts as often as it is repeated."""
        repeats = Counter(terms)
        appearances = {term: self._searcher.doc_freq(field, term) for term in repeats}
        query, total = tantivy.Query, 0
        chosen: list[tuple[Any, Any]] = []
        for term in sorted(filter(appearances.get, repeats), key=lambda term: (appearances[term], term)):
            total += appearances[term]
            if chosen and total > POSTINGS:
                break
            one = query.term_query(schema(), field, term, "freq")
            one = query.boost_query(one, float(repeats[term])) if repeats[term] > 1 else one
            chosen.append((tantivy.Occur.Should, one))
        return query.boolean_query(chosen)


def _rounded(score: float) -> float:
    """A score to five digits: the others depend on the order in which tantivy adds."""
    return float(f"{score:.5g}")


def _conditions(wanted: Filter) -> Iterator[Any]:
    """What the filter says but for hidden ids, as queries that every document found has to answer."""
    query = tantivy.Query
    for field, names in (("zone", wanted.zones), ("category", wanted.categories)):
        if names is not None:
            yield query.const_score_query(query.term_set_query(schema(), field, list(map(json.dumps, names))), 0.0)
    if wanted.min_priority > 0:
        whole = tantivy.FieldType.Integer
        bounds = _bounded(wanted.min_priority), 2**31
        yield query.const_score_query(query.range_query(schema(), "priority", whole, *bounds), 0.0)


def _bounded(priority: int) -> int:
    """The priority in the 32 bits that the index has for it."""
    return max(min(priority, 2**31 - 1), -(2**31))


def fields(experience: Experience) -> dict[str, Any]:
    """What is indexed of an experience, by field."""
    plain = _plain(searchable(experience))
    return {
        "zone": json.dumps(experience.zone),
        "category": json.dumps(experience.problem_category),
        "priority": _bounded(experience.priority),
        "words": " ".join(_stems(plain)),
        "grams": unmarked(plain),
    }


def _plain(text: str) -> str:
    """The normal form of a text, without what UTF-8 cannot hold."""
    return valid_utf8(normalised(text))


def _stems(plain: str) -> list[str]:
    return list(map(stem, words(plain)))


def _grams(text: str) -> list[str]:
    return [text[start : start + GRAM] for start in range(len(text) - GRAM + 1)]


@cache
def schema() -> Any:
    """The fields of a document; `entry` is `[number, id]`."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("entry", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("zone", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("category", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("priority", indexed=True)
    builder.add_text_field("words", tokenizer_name="words", index_option="freq")
    builder.add_text_field("grams", tokenizer_name="grams", index_option="freq")
    return builder.build()


def with_tokenizers(index: Any) -> Any:
    """The index, which now knows how to cut its fields into terms."""
    tokenizer, build = tantivy.Tokenizer, tantivy.TextAnalyzerBuilder
    index.register_tokenizer("words", build(tokenizer.whitespace()).build())
    index.register_tokenizer("grams", build(tokenizer.ngram(GRAM, GRAM, False)).build())
    return index
