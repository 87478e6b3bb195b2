"""Full-text search: BM25 over words and over character 4-grams, fused. Exact, deterministic, updated in place.

Two rankings of the same texts. *Words* are lower-cased and lightly stemmed; *4-grams* run over the text without white
space and TeX markup, so that `$\\triangle ABC$` meets `△ABC`-like spellings and a SMILES meets its relatives. Each
ranking's scores are divided by its best and the two are averaged: a score of 1 leads both.

A result depends on the texts and the query alone: not on the order of updates, on threads or on the machine
(statistics are counted exactly, replaced texts included, and scores are rounded before they are compared).
"""

import math
import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

K1, B = 1.2, 0.75
"""BM25's saturation of repeated terms and its correction for length, at their usual values."""
GRAM = 4
MAX_TERMS = 600
"""Distinct terms of a query that are looked up, per ranking; of more, a fixed pseudo-random sample."""
_BATCH = 4_000_000
"""Characters indexed at a time, which bounds memory."""
_MAX_MERGE = 8_000_000
"""Postings beyond which segments are not merged any further, which bounds the longest pause."""
_WORD = re.compile(r"\w+")
_ENDINGS = ("ing", "ed", "es", "s", "e")
_MARKUP = " \t\r\n\f\v\u00a0$\\{}_^"


class SearchIndex:
    """An index of texts under keys; `put` adds and replaces, `search` ranks."""

    def __init__(self) -> None:
        self._words, self._grams = _Ranking(), _Ranking()
        self._vocabulary = _Vocabulary()

    def put(self, texts: Mapping[str, str]) -> None:
        """Add these texts, in place of those that had the same keys."""
        for batch in _batches(texts):
            plain = [normalised(text) for text in batch.values()]
            self._words.put(list(batch), [self._vocabulary.terms(text) for text in plain])
            self._grams.put(list(batch), [_grams(text) for text in plain])

    def search(self, query: str, keys: Sequence[str], top_k: int) -> list[tuple[str, float]]:
        """The best of `keys` for this query, at most `top_k` of those that share anything with it: (key, score <= 1).

        Best first; equal scores in the order of `keys`.
        """
        import numpy as np

        text = normalised(query)
        fused = np.zeros(len(keys))
        for ranking, terms in ((self._words, self._vocabulary.terms(text)), (self._grams, _grams(text))):
            scores = ranking.scores(terms, keys)
            if len(scores) and (best := scores.max()) > 0:
                fused += scores / (2 * best)
        fused = np.round(fused, 9)
        order = np.argsort(-fused, kind="stable")[: max(top_k, 0)]
        return [(keys[place], float(fused[place])) for place in order if fused[place] > 0]

    def copy(self) -> "SearchIndex":
        """An index of the same texts that later changes of this one do not reach; shares what it can."""
        copy = SearchIndex()
        copy._words, copy._grams = self._words.copy(), self._grams.copy()
        copy._vocabulary = self._vocabulary
        return copy


def rank_texts(query: str, texts: Sequence[str], top_k: int) -> list[int]:
    """The places in `texts` of the best matches for the query, best first; equal ones in order."""
    index = SearchIndex()
    index.put({str(place): text for place, text in enumerate(texts)})
    return [int(key) for key, _ in index.search(query, [str(place) for place in range(len(texts))], top_k)]


def normalised(text: str) -> str:
    """The text in lower case, with one spelling for compatible characters (`²` is `2`)."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


def stem(word: str) -> str:
    """A word without its ending, roughly: enough for `divides`, `divided` and `dividing` to meet."""
    for ending in _ENDINGS if len(word) > 4 else ():
        if word.endswith(ending):
            return word[: -len(ending)]
    return word


class _Vocabulary(dict[str, int]):
    """Word -> term number, the same on every machine; remembers the words it has seen."""

    def __missing__(self, word: str) -> int:
        number = self[word] = zlib.crc32(stem(word).encode("utf-8", "replace"))
        return number

    def terms(self, text: str) -> "Array":
        import numpy as np

        return np.fromiter(map(self.__getitem__, _WORD.findall(text)), np.uint32)


def _grams(text: str) -> "Array":
    """A term number for every 4 neighbouring characters that are no markup."""
    import numpy as np

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    codes = codes[~np.isin(codes, [ord(character) for character in _MARKUP])]
    terms = codes[: max(len(codes) - GRAM + 1, 0)].copy()
    for offset in range(1, GRAM):
        terms = terms * np.uint32(0x9E3779B1) + codes[offset : offset + len(terms)]
    return terms


def _batches(texts: Mapping[str, str]) -> "list[dict[str, str]]":
    batches: list[dict[str, str]] = [{}]
    size = 0
    for key, text in texts.items():
        if batches[-1] and size + len(text) > _BATCH:
            batches.append({})
            size = 0
        batches[-1][key] = text
        size += len(text)
    return batches


class _Segment(NamedTuple):
    """Postings sorted by term: `docs[starts[i]:starts[i + 1]]` contain `terms[i]`, that often (`counts`, up to 255)."""

    terms: "Array"
    starts: "Array"
    docs: "Array"
    counts: "Array"


class _Ranking:
    """BM25 over one kind of terms. A text is a document number; a replaced text is a dead number."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._doc: dict[str, int] = {}
        self._lengths: list[int] = []
        self._alive: list[bool] = []

    def copy(self) -> "_Ranking":
        copy = _Ranking()
        copy._segments, copy._doc = list(self._segments), dict(self._doc)
        copy._lengths, copy._alive = list(self._lengths), list(self._alive)
        return copy

    def put(self, keys: Sequence[str], texts: "Sequence[Array]") -> None:
        """Index the terms of each text under its key."""
        import numpy as np

        if not keys:
            return
        first = len(self._lengths)
        for number, (key, terms) in enumerate(zip(keys, texts, strict=True), start=first):
            if key in self._doc:
                self._alive[self._doc[key]] = False
            self._doc[key] = number
            self._lengths.append(len(terms))
            self._alive.append(True)
        docs = np.repeat(np.arange(first, len(self._lengths), dtype=np.uint64), self._lengths[first:])
        pairs = np.sort(np.concatenate(texts).astype(np.uint64) << np.uint64(32) | docs)
        edges = np.flatnonzero(np.diff(pairs, prepend=~pairs[:1]))
        counts = np.minimum(np.diff(edges, append=len(pairs)), 255).astype(np.uint8)
        pairs = pairs[edges]
        self._segments.append(_segment((pairs >> np.uint64(32)).astype(np.uint32), pairs.astype(np.int32), counts))
        self._merge_segments()

    def scores(self, terms: "Array", keys: Sequence[str]) -> "Array":
        """The BM25 score of each key's text for a query of these terms; shape (len(keys),)."""
        import numpy as np

        wanted, repeats = np.unique(terms, return_counts=True)
        if len(wanted) > MAX_TERMS:
            sample = np.sort(np.argsort(wanted * np.uint32(0x85EBCA6B), kind="stable")[:MAX_TERMS])
            wanted, repeats = wanted[sample], repeats[sample]
        if not keys or not len(wanted) or not self._segments:
            return np.zeros(len(keys))
        alive, lengths = np.array(self._alive), np.array(self._lengths)
        which, docs, counts = (
            np.concatenate(column) for column in zip(*(_find(s, wanted) for s in self._segments), strict=True)
        )
        if len(self._doc) < len(lengths):
            living = alive[docs]
            which, docs, counts = which[living], docs[living], counts[living]
        found = np.bincount(which, minlength=len(wanted)).tolist()
        idf = np.array([math.log(1 + (len(self._doc) - n + 0.5) / (n + 0.5)) for n in found])
        norms = K1 * (1 - B + B * lengths / max(int(lengths[alive].sum()) / len(self._doc), 1))
        weights = (idf * repeats)[which] * (counts * (K1 + 1) / (counts + norms[docs]))
        return np.bincount(docs, weights, minlength=len(lengths))[[self._doc[key] for key in keys]]

    def _merge_segments(self) -> None:
        """Merge the newest segments while they are of like size: few segments, little work for each new text."""
        import numpy as np

        while len(self._segments) > 1:
            older, newer = self._segments[-2:]
            if len(older.docs) > 2 * len(newer.docs) or len(older.docs) + len(newer.docs) > _MAX_MERGE:
                return
            terms = np.concatenate([np.repeat(s.terms, np.diff(s.starts)) for s in (older, newer)])
            docs, counts = np.concatenate([older.docs, newer.docs]), np.concatenate([older.counts, newer.counts])
            order = np.argsort(terms, kind="stable")
            order = order[np.array(self._alive)[docs[order]]]
            self._segments[-2:] = [_segment(terms[order], docs[order], counts[order])]


def _segment(terms: "Array", docs: "Array", counts: "Array") -> _Segment:
    """A segment of postings whose terms are sorted."""
    import numpy as np

    starts = np.flatnonzero(np.diff(terms, prepend=~terms[:1]))
    return _Segment(terms[starts], np.append(starts, len(terms)), docs, counts)


def _find(segment: _Segment, wanted: "Array") -> "tuple[Array, Array, Array]":
    """All postings of the wanted terms: (which of the wanted, document, count)."""
    import numpy as np

    places = np.searchsorted(segment.terms, wanted)
    hits = (
        np.flatnonzero(segment.terms[np.minimum(places, len(segment.terms) - 1)] == wanted)
        if len(segment.terms)
        else places[:0]
    )
    starts, stops = segment.starts[places[hits]], segment.starts[places[hits] + 1]
    sizes = stops - starts
    rows = np.arange(sizes.sum()) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)
    return np.repeat(hits, sizes), segment.docs[rows], segment.counts[rows].astype(float)
