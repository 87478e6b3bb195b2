"""BM25 over numbered terms with numpy: deterministic, updated in place.

A text's score depends on the texts alone, not on the order of updates, on threads or on the machine. A query reads a
bounded number of postings: beyond it the commonest terms, which tell the least, are passed over.
"""

import bisect
import math
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

K1, B = 1.2, 0.75
"""Saturation of repeated terms and correction for length, at their usual values."""
_BATCH = 16_000_000
"""Terms that are sorted together, which bounds memory: 8 bytes each. (Merging smaller batches takes longer.)"""
_MERGED = 16_000_000
"""The most postings in a segment, which bounds the longest pause. (A query looks into every segment.)"""


class _Segment(NamedTuple):
    """Postings sorted by term: `docs[starts[i]:starts[i + 1]]` contain `terms[i]`, that often (`counts`, up to 255)."""

    terms: Array
    starts: Array
    docs: Array
    counts: Array
    end: int
    """One more than the number of its last text."""
    removed: Array
    """The terms of its removed texts, sorted, a term once for each of them."""


class Ranking:
    """BM25 over one kind of terms (uint32 arrays). Texts are numbered from 0 as they come; no number is used twice."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._lengths = np.zeros(0, np.int64)
        self._alive = np.zeros(0, bool)
        self._count = 0
        self._norms: Array = np.zeros(0)

    def copy(self) -> "Ranking":
        """A ranking of the same texts that later changes of this one do not reach; segments are shared."""
        other = copy(self)
        other._segments = list(self._segments)
        return other

    def put(self, texts: Sequence[Array]) -> None:
        """Index the terms of each text, under the next numbers."""
        first = len(self._alive)
        self._lengths = np.append(self._lengths, np.array([len(text) for text in texts], np.int64))
        self._alive = np.append(self._alive, np.ones(len(texts), bool))
        for batch in _batches(texts, _BATCH):
            self._segments.append(_index(batch, first))
            first += len(batch)
            self._merge_segments()  # after every batch: the last one, which is smaller, would end the rule
        self._update_norms()

    def remove(self, docs: Sequence[int], texts: Sequence[Array]) -> None:
        """Forget the texts with these numbers, which had these terms."""
        self._alive = self._alive.copy()
        self._alive[list(docs)] = False
        removed: dict[int, list[Array]] = {}
        for doc, terms in zip(docs, texts, strict=True):
            number = bisect.bisect_right(self._segments, doc, key=lambda segment: segment.end)
            removed.setdefault(number, []).append(np.unique(terms))
        for number, of_segment in removed.items():
            segment = self._segments[number]
            gone = np.sort(np.concatenate([segment.removed, *of_segment]), kind="stable")
            many = 8 * len(gone) > len(segment.docs)  # then they are left out
            self._segments[number] = _merged([segment], self._alive) if many else segment._replace(removed=gone)
        self._update_norms()

    def scores(self, terms: Array, postings: int) -> Array:
        """The BM25 score of every text for a query of these terms, in the order of the numbers; 0 if removed.

        Only the rarest terms are looked up, those that have at most `postings` postings together; 20 ns each.
        """
        wanted, repeats = np.unique(terms, return_counts=True)
        found = [_find(segment, wanted) for segment in self._segments]
        appearances = sum((sizes for _, sizes in found), np.zeros(len(wanted), np.int64))
        for removed in (segment.removed for segment in self._segments if len(segment.removed)):
            appearances = appearances - _frequencies(removed, wanted)
        used = _rarest(appearances, postings)
        rows = [_rows(starts[used], sizes[used]) for starts, sizes in found]
        if not sum(map(len, rows)):
            return np.zeros(len(self._alive))
        docs = np.concatenate([segment.docs[those] for segment, those in zip(self._segments, rows, strict=True)])
        counts = np.concatenate([segment.counts[those] for segment, those in zip(self._segments, rows, strict=True)])
        idf = self._idf(appearances[used]) * repeats[used] * (K1 + 1)
        weights = np.concatenate([np.repeat(idf, sizes[used]) for _, sizes in found])
        weights *= counts / (counts + self._norms[docs])
        return np.bincount(docs, weights, minlength=len(self._alive)) * self._alive

    def _idf(self, appearances: Array) -> Array:
        """Inverse document frequency; from `math`, because numpy's logarithm is not the same on every machine."""
        return np.array([math.log(1 + (self._count - n + 0.5) / (n + 0.5)) for n in appearances.tolist()])

    def _update_norms(self) -> None:
        """Note what every score depends on: the number of texts, and how long each is compared with the average."""
        self._count = int(np.count_nonzero(self._alive))
        average = int(self._lengths[self._alive].sum()) / max(self._count, 1)
        self._norms = K1 * (1 - B + B / (average or 1) * self._lengths)

    def _merge_segments(self) -> None:
        """Merge the newest segments that are of like size: few segments, little work for each new text."""
        sizes = [len(segment.docs) for segment in self._segments]
        first = len(sizes) - 1
        while first > 0 and sizes[first - 1] <= 2 * sum(sizes[first:]) and sum(sizes[first - 1 :]) <= _MERGED:
            first -= 1
        if len(sizes[first:]) > 1:
            self._segments[first:] = [_merged(self._segments[first:], self._alive)]


def best(scores: Array, top_k: int, names: Sequence[str]) -> list[int]:
    """The indices of the `top_k` highest scores above 0, highest first; equal ones in the order of their names."""
    places = np.flatnonzero(scores > 0)
    if 0 < top_k < len(places):
        least = np.partition(scores[places], -top_k)[-top_k]
        places = places[scores[places] >= least]
    ordered: list[int] = sorted(places.tolist(), key=lambda place: (-scores[place], names[place]))
    return ordered[: max(top_k, 0)]


def _rarest(appearances: Array, postings: int) -> Array:
    """The indices of the terms to look up, in order: the rarest that any text has, up to so many postings together."""
    order = np.argsort(appearances, kind="stable")
    order = order[appearances[order] > 0]
    within = int(np.searchsorted(np.cumsum(appearances[order]), postings, side="right"))
    return np.sort(order[: max(within, 1)])


def _batches(texts: Sequence[Array], size: int) -> Iterator[Sequence[Array]]:
    """The texts in order, in batches of about `size` terms; at least one text in each."""
    first, length = 0, 0
    for number, text in enumerate(texts):
        if length and length + len(text) > size:
            yield texts[first:number]
            first, length = number, 0
        length += len(text)
    if first < len(texts):
        yield texts[first:]


def _index(texts: Sequence[Array], first: int) -> _Segment:
    """The segment of these texts, numbered from `first`."""
    pairs, end = np.empty(sum(map(len, texts)), np.uint64), 0
    for place, terms in enumerate(texts):
        counted = _counted(terms, place)
        pairs[end : end + len(counted)] = counted
        end += len(counted)
    pairs = pairs[:end]
    pairs.sort()
    docs = ((pairs >> np.uint64(8)).astype(np.uint32) & np.uint32(2**24 - 1)).astype(np.int32) + np.int32(first)
    return _segment((pairs >> np.uint64(32)).astype(np.uint32), docs, pairs.astype(np.uint8), first + len(texts))


def _counted(terms: Array, place: int) -> Array:
    """The different terms of a text: 32 bits of the term, 24 of the text's place, 8 of how often it has the term."""
    different, counts = np.unique(terms, return_counts=True)
    pairs: Array = different.astype(np.uint64) << np.uint64(32)
    return pairs | np.minimum(counts, 255).astype(np.uint64) | np.uint64(place << 8)


def _segment(terms: Array, docs: Array, counts: Array, end: int) -> _Segment:
    """A segment of postings sorted by term; behind the last stands the greatest possible term, without postings."""
    starts = np.flatnonzero(np.diff(terms, prepend=~terms[:1]))  # where another term begins
    ends = np.append(starts, [len(terms), len(terms)])
    return _Segment(np.append(terms[starts], np.uint32(2**32 - 1)), ends, docs, counts, end, terms[:0])


def _merged(segments: Sequence[_Segment], alive: Array) -> _Segment:
    """The segments as one, without the texts that are removed."""
    terms = np.concatenate([np.repeat(segment.terms, np.diff(segment.starts)) for segment in segments])
    docs = np.concatenate([segment.docs for segment in segments])
    counts = np.concatenate([segment.counts for segment in segments])
    order = np.argsort(terms, kind="stable")
    order = order[alive[docs[order]]]
    return _segment(terms[order], docs[order], counts[order], segments[-1].end)


def _find(segment: _Segment, wanted: Array) -> tuple[Array, Array]:
    """Where the postings of each wanted term begin, and how many there are."""
    places = np.searchsorted(segment.terms, wanted)
    starts = segment.starts[places]
    return starts, (segment.starts[places + 1] - starts) * (segment.terms[places] == wanted)


def _frequencies(values: Array, wanted: Array) -> Array:
    """How often each wanted value occurs in a sorted array."""
    first, end = np.searchsorted(values, wanted), np.searchsorted(values, wanted, side="right")
    return np.subtract(end, first)


def _rows(starts: Array, sizes: Array) -> Array:
    """The numbers of `sizes[i]` rows from `starts[i]`, for all i one after the other."""
    offsets = starts - np.cumsum(sizes) + sizes
    rows: Array = np.arange(sizes.sum()) + np.repeat(offsets, sizes)
    return rows
