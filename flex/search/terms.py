"""The terms of a text: stems of words, and character 4-grams; for BM25 each is a number of 32 bits, its hash."""

import unicodedata
from functools import cache, lru_cache
from zlib import crc32

import numpy as np

from flex.search.bm25 import Array
from flex.text import MARKUP

GRAM = 4
_ENDINGS = ("ing", "ed", "es", "s", "e")
_FACTOR = np.uint32(0x9E3779B1)
_SPACE = np.uint32(ord(" "))


def word_terms(plain: str) -> Array:
    """A term for the stem of every word of a normalised text, in order."""
    return np.fromiter(map(_hashed_stem, words(plain)), np.uint32)


def gram_terms(plain: str) -> Array:
    """A term for every `GRAM` neighbouring characters of a normalised text, white space and markup left out."""
    kept = _unmarked(plain)
    terms = kept[: max(len(kept) - GRAM + 1, 0)].copy()
    for offset in range(1, GRAM):
        terms *= _FACTOR
        terms += kept[offset : offset + len(terms)]
    return terms


def normalised(text: str) -> str:
    """The text in lower case, with one spelling for compatible characters (`²` is `2`)."""
    lines = text.split("\n")  # line by line, because most lines have nothing to normalise
    return "\n".join(unicodedata.normalize("NFKC", line) for line in lines).lower()


def words(plain: str) -> list[str]:
    """The words of a normalised text, in order: those that `\\w+` finds."""
    codes = _codes(plain)
    return _text(np.where(_in_words()[codes], codes, _SPACE)).split()


def unmarked(plain: str) -> str:
    """The text without white space and TeX markup."""
    return _text(_unmarked(plain))


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """A word without its ending, roughly: enough for `divides`, `divided` and `dividing` to meet."""
    for ending in _ENDINGS if len(word) > 4 else ():
        if word.endswith(ending):
            return word[: -len(ending)]
    return word


@lru_cache(maxsize=100_000)
def _hashed_stem(word: str) -> int:
    return crc32(stem(word).encode("utf-8", "surrogatepass"))


def _unmarked(plain: str) -> Array:
    codes = _codes(plain)
    return codes[~_left_out()[codes]]


def _codes(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _text(codes: Array) -> str:
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


@cache
def _in_words() -> Array:
    """Whether a character belongs to a word, by code point."""
    every = np.arange(0x110000, dtype=np.uint32).view("U1")
    found: Array = np.char.isalnum(every) | (every == "_")
    return found


@cache
def _left_out() -> Array:
    """Whether 4-grams leave a character out, by code point."""
    every = np.arange(0x110000, dtype=np.uint32).view("U1")
    return np.char.isspace(every) | np.isin(every, list(MARKUP))
