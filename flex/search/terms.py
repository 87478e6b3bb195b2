"""The terms of a text, with numpy: stems of words, and character 4-grams, each as a number of 32 bits.

A text first becomes letters: code points in lower case, one spelling for compatible characters (`²` is `2`). The rules
are those of `normalised`, `words`, `stem` and `unmarked` in flex/search/text.py, applied to all characters of a text at
once, which is ten times as fast.
"""

import functools
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from flex.text import MARKUP

Array = np.ndarray[Any, np.dtype[Any]]

_KNOWN = 0x3000
"""Code points below this are looked up in a table; a text with others is normalised as a whole."""
_JAMO = range(0x1100, 0x1200)
_WHOLE = 2**32 - 1
"""The entry of characters that depend on their neighbours, or become several."""
_TOGETHER = 500_000
"""The words of about so many characters are found at once."""
_SPACE = np.array([ord(" ")], np.uint32)
_FACTOR = np.uint32(0x9E3779B1)


class _Letters(NamedTuple):
    """By code point: what it becomes, whether it belongs to a word, whether 4-grams leave it out."""

    becomes: Array
    in_words: Array
    skipped: Array


@functools.cache
def _letters() -> _Letters:
    characters = [chr(code) for code in range(_KNOWN)]
    return _Letters(
        np.array([_becomes(character) for character in characters], np.uint32),
        np.array([character.isalnum() or character == "_" for character in characters]),
        np.array([character.isspace() or character in MARKUP for character in characters]),
    )


def _becomes(character: str) -> int:
    plain = unicodedata.normalize("NFKC", character).lower()
    alone = len(plain) == 1 and not unicodedata.category(character).startswith("M")
    # A sigma in lower case depends on what follows it, and a Hangul syllable is made of several jamo.
    return ord(plain) if alone and character != "Σ" and ord(character) not in _JAMO else _WHOLE


def letters(text: str) -> Array:
    """The code points of the normalised text; shape (characters,)."""
    codes = _codes(text)
    if not len(codes) or codes.max() < _KNOWN:
        found = _letters().becomes[codes]
        if not (several := set(codes[found == _WHOLE].tolist())):
            return found
        for character in map(chr, sorted(several)):  # such as … and ½, which become several characters
            text = text.replace(character, unicodedata.normalize("NFKC", character))
        found = _letters().becomes[np.minimum(_codes(text), _KNOWN - 1)]
        if not (found == _WHOLE).any() and _codes(text).max() < _KNOWN:
            return found
    return _codes(unicodedata.normalize("NFKC", text).lower())


def word_terms(texts: Sequence[Array]) -> list[Array]:
    """For each text of letters a term for the stem of every word, in order: a hash of its letters."""
    found: list[Array] = []
    for batch in batches(texts, _TOGETHER):
        joined = np.concatenate([part for text in batch for part in (text, _SPACE)])
        terms, starts = _hashed(joined)
        found += np.split(terms, np.searchsorted(starts, np.cumsum([len(text) + 1 for text in batch])[:-1]))
    return found


def _hashed(codes: Array) -> tuple[Array, Array]:
    """The terms of a text's words, and where the words begin."""
    inside = _looked_up(_letters().in_words, codes, lambda character: character.isalnum())
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    edges = np.append(np.zeros(int(inside[0]), edges.dtype), edges)  # the last character is a space
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    if not len(lengths):
        return np.zeros(0, np.uint32), starts
    written = codes[inside]
    ends = np.cumsum(lengths)
    places = np.arange(len(written)) - np.repeat(ends - lengths, lengths)
    values = written * _powers(int(lengths.max()))[places]
    hashes = np.add.reduceat(values, ends - lengths, dtype=np.uint32)
    ending = _ending(written, lengths, ends)
    for last in (1, 2, 3):
        longer = ending >= last
        hashes[longer] -= values[ends[longer] - last]
    return hashes, starts


def gram_terms(codes: Array, length: int) -> Array:
    """A term for every `length` neighbouring characters, white space and markup left out."""
    kept = codes[~_looked_up(_letters().skipped, codes, str.isspace)]
    terms = kept[: max(len(kept) - length + 1, 0)].copy()
    for offset in range(1, length):
        terms *= _FACTOR
        terms += kept[offset : offset + len(terms)]
    return terms


def _ending(written: Array, lengths: Array, ends: Array) -> Array:
    """How many letters each word loses to become its stem."""
    last, before, third = (written[np.maximum(ends - back, 0)] for back in (1, 2, 3))
    i, n, g, e, d, s = (ord(letter) for letter in "ingeds")
    cases = [
        (third == i) & (before == n) & (last == g),
        (before == e) & ((last == d) | (last == s)),
        (last == s) | (last == e),
    ]
    return np.where(lengths > 4, np.select(cases, [3, 2, 1], 0), 0)


def _powers(count: int) -> Array:
    powers: Array = np.multiply.accumulate(np.full(count, _FACTOR), dtype=np.uint32)
    return powers


def _looked_up(table: Array, codes: Array, otherwise: Any) -> Array:
    """The table's value for each code point, `otherwise` for characters beyond it."""
    beyond = np.flatnonzero(codes >= _KNOWN)
    if not len(beyond):
        return np.asarray(table[codes])
    found: Array = table[np.minimum(codes, _KNOWN - 1)]
    found[beyond] = [otherwise(chr(code)) for code in codes[beyond].tolist()]
    return found


def _codes(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def batches(texts: Sequence[Array], size: int) -> Iterator[Sequence[Array]]:
    """The texts in order, in batches of about `size` elements; at least one text in each."""
    first, length = 0, 0
    for number, text in enumerate(texts):
        if length and length + len(text) > size:
            yield texts[first:number]
            first, length = number, 0
        length += len(text)
    if first < len(texts):
        yield texts[first:]
