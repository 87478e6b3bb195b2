"""BM25 over numbered terms with numpy: exact, deterministic, updated in place.

What a text scores depends on the texts alone: not on the order of updates, on threads or on the machine. (An index that
only marks what is replaced, as Lucene and tantivy do, goes on counting it until some thread merges its segments.)
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

K1, B = 1.2, 0.75
"""Saturation of repeated terms and correction for length, at their usual values."""
MAX_TERMS = 300
"""Distinct terms of a query that are looked up; of more, a sample that depends on nothing but the terms."""
_BATCH = 4_000_000
"""Terms sorted at a time, which bounds memory."""
_MERGED = 1_000_000
"""Postings in a segment that is not merged any further, which bounds the longest pause."""


class _Segment(NamedTuple):
    """Postings sorted by term: `docs[starts[i]:starts[i + 1]]` contain `terms[i]`, that often (`counts`, up to 255)."""

    terms: Array
    starts: Array
    docs: Array
    counts: Array


class Ranking:
    """BM25 over one kind of terms (uint32 arrays). A text is a document number; a replaced text is a dead number."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._docs: dict[str, int] = {}
        self._lengths: list[int] = []

    def copy(self) -> "Ranking":
        """A ranking of the same texts that later changes of this one do not reach; segments are shared."""
        copy = Ranking()
        copy._segments, copy._docs, copy._lengths = list(self._segments), dict(self._docs), list(self._lengths)
        return copy

    def put(self, texts: Mapping[str, Array]) -> None:
        """Index the terms of each text, in place of those that had the same keys."""
        for batch in _batches(texts):
            first = len(self._lengths)
            self._docs.update(zip(batch, range(first, first + len(batch)), strict=True))
            self._lengths += map(len, batch.values())
            self._segments.append(_index(list(batch.values()), first))
        self._merge_segments()

    def scores(self, terms: Array, keys: Sequence[str]) -> Array:
        """The BM25 score of each key's text for a query of these terms; shape (len(keys),)."""
        wanted, repeats = _sample(*np.unique(terms, return_counts=True))
        if not keys or not len(wanted):
            return np.zeros(len(keys))
        alive, lengths = self._alive(), np.array(self._lengths)
        found = [_find(segment, wanted) for segment in self._segments]
        sizes = np.concatenate([size for size, _, _ in found])
        docs = np.concatenate([docs for _, docs, _ in found])
        counts = np.concatenate([counts for _, _, counts in found])
        which = np.repeat(np.tile(np.arange(len(wanted)), len(found)), sizes)
        if len(self._docs) < len(lengths):
            living = alive[docs]
            which, docs, counts = which[living], docs[living], counts[living]
        appearances = np.bincount(which, minlength=len(wanted)).tolist()
        idf = np.array([math.log(1 + (len(self._docs) - n + 0.5) / (n + 0.5)) for n in appearances])
        norms = K1 * (1 - B + B * lengths * (len(self._docs) / max(int(lengths[alive].sum()), 1)))
        weights = (idf * repeats * (K1 + 1))[which] * (counts / (counts + norms[docs]))
        totals = np.bincount(docs, weights, minlength=len(lengths))
        return totals[np.fromiter(map(self._docs.__getitem__, keys), np.intp, len(keys))]

    def _alive(self) -> Array:
        alive = np.zeros(len(self._lengths), bool)
        alive[np.fromiter(self._docs.values(), np.intp, len(self._docs))] = True
        return alive

    def _merge_segments(self) -> None:
        """Merge the newest segments while they are of like size: few segments, little work for each new text."""
        while len(self._segments) > 1:
            older, newer = self._segments[-2:]
            if len(older.docs) > min(2 * len(newer.docs), _MERGED):
                return
            terms = np.concatenate([np.repeat(segment.terms, np.diff(segment.starts)) for segment in (older, newer)])
            docs, counts = np.concatenate([older.docs, newer.docs]), np.concatenate([older.counts, newer.counts])
            order = np.argsort(terms, kind="stable")
            order = order[self._alive()[docs[order]]]
            self._segments[-2:] = [_segment(terms[order], docs[order], counts[order])]


def best(rankings: Sequence[Array], top_k: int) -> list[tuple[int, float]]:
    """The places that lead the mean of the rankings, each divided by its highest score, and that mean if above 0.

    Highest first, equal ones in order.
    """
    relative = [scores / (scores.max(initial=0) or 1) for scores in rankings]
    fused: Array = np.round(
        np.stack(relative).mean(axis=0), 9
    )  # so that the last bits of a machine's arithmetic decide nothing
    places = np.argsort(-fused, kind="stable")[: max(top_k, 0)]
    return [(int(place), float(fused[place])) for place in places if fused[place] > 0]


def terms(numbers: list[int]) -> Array:
    """Terms from their numbers (32 bits each)."""
    return np.array(numbers, np.uint32)


def gram_terms(text: str, length: int, skipped: str) -> Array:
    """A term for every `length` neighbouring characters, `skipped` characters (ASCII) left out."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    kept = np.ones(129, bool)
    kept[[ord(character) for character in skipped]] = False
    codes = codes[kept[np.minimum(codes, 128)]]
    terms = codes[: max(len(codes) - length + 1, 0)].copy()
    for offset in range(1, length):
        terms *= np.uint32(0x9E3779B1)
        terms += codes[offset : offset + len(terms)]
    return terms


def _batches(texts: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    batch: dict[str, Array] = {}
    size = 0
    for key, terms in texts.items():
        if batch and size + len(terms) > _BATCH:
            yield batch
            batch, size = {}, 0
        batch[key] = terms
        size += len(terms)
    if batch:
        yield batch


def _index(texts: Sequence[Array], first: int) -> _Segment:
    """The segment of these texts, whose document numbers count from `first`."""
    docs = np.repeat(np.arange(first, first + len(texts), dtype=np.uint64), [len(terms) for terms in texts])
    pairs = np.concatenate(texts).astype(np.uint64)
    pairs <<= np.uint64(32)
    pairs |= docs
    pairs.sort()
    edges = _edges(pairs)
    counts = np.minimum(np.diff(edges, append=len(pairs)), 255).astype(np.uint8)
    pairs = pairs[edges]
    return _segment((pairs >> np.uint64(32)).astype(np.uint32), pairs.astype(np.uint32).astype(np.int32), counts)


def _segment(terms: Array, docs: Array, counts: Array) -> _Segment:
    """A segment of postings whose terms are sorted."""
    starts = _edges(terms)
    return _Segment(terms[starts], np.append(starts, len(terms)), docs, counts)


def _edges(values: Array) -> Array:
    """Where in a sorted array another value begins."""
    begins = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=begins[1:])
    return np.flatnonzero(begins)


def _sample(terms: Array, repeats: Array) -> tuple[Array, Array]:
    if len(terms) <= MAX_TERMS:
        return terms, repeats
    chosen = np.sort(np.argsort(terms * np.uint32(0x85EBCA6B), kind="stable")[:MAX_TERMS])
    return terms[chosen], repeats[chosen]


def _find(segment: _Segment, wanted: Array) -> tuple[Array, Array, Array]:
    """The postings of the wanted terms: how many of each (one number per wanted term), documents, counts."""
    places = np.searchsorted(segment.terms, wanted)
    ends = np.searchsorted(segment.terms, wanted, side="right")
    starts, stops = segment.starts[places], segment.starts[ends]
    sizes = stops - starts
    rows = np.arange(sizes.sum()) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)
    return sizes, segment.docs[rows], segment.counts[rows]
