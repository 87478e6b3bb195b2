"""Full-text search: BM25 over words and over character 4-grams, fused.

Two rankings of the same texts. *Words* are lower-cased and lightly stemmed. *4-grams* run over the text without white
space and TeX markup: `$n^{2} - 19n$` meets `n^2-19n`, and a SMILES its relatives. Each ranking's scores are divided by
its best score and the two are averaged: 1 leads both. A query is text, never syntax.
"""

import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence

GRAM = 4
SKIPPED = " \t\r\n\f\v$\\{}_^"
"""Characters that 4-grams leave out: white space and TeX markup."""
_WORD = re.compile(r"\w+")
_ENDINGS = ("ing", "ed", "es", "s", "e")


class SearchIndex:
    """An index of texts under keys; `put` adds and replaces, `search` ranks."""

    def __init__(self) -> None:
        from flex import bm25  # here, because numpy takes 0.1 s to import and few programs search

        self._bm25 = bm25
        self._words, self._grams = bm25.Ranking(), bm25.Ranking()
        self._terms = _Terms()

    def put(self, texts: Mapping[str, str]) -> None:
        """Add these texts, in place of those that had the same keys."""
        plain = {key: normalised(text) for key, text in texts.items()}
        self._words.put({key: self._bm25.terms(self._terms.of(text)) for key, text in plain.items()})
        self._grams.put({key: self._bm25.gram_terms(text, GRAM, SKIPPED) for key, text in plain.items()})

    def search(self, query: str, keys: Sequence[str], top_k: int) -> list[tuple[str, float]]:
        """The best of `keys` for this query, at most `top_k` of those that share anything with it: (key, score <= 1).

        Best first; equal scores in the order of `keys`.
        """
        plain = normalised(query)
        words = self._words.scores(self._bm25.terms(self._terms.of(plain)), keys)
        grams = self._grams.scores(self._bm25.gram_terms(plain, GRAM, SKIPPED), keys)
        return [(keys[place], score) for place, score in self._bm25.best([words, grams], top_k)]

    def copy(self) -> "SearchIndex":
        """An index of the same texts that later changes of this one do not reach; shares what it can."""
        copy = SearchIndex()
        copy._words, copy._grams, copy._terms = self._words.copy(), self._grams.copy(), self._terms
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


class _Terms(dict[str, int]):
    """Word -> number of its stem, the same on every machine; remembers the words it has seen."""

    def __missing__(self, word: str) -> int:
        number = self[word] = zlib.crc32(stem(word).encode("utf-8", "replace"))
        return number

    def of(self, text: str) -> list[int]:
        return [self[word] for word in _WORD.findall(text)]
