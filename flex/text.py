"""A text as words, so that two ways of typing the same thing are equal."""

import re
import unicodedata
from collections import Counter
from functools import cached_property, lru_cache

Gram = tuple[str, ...]
"""Words one after the other."""

_TOKEN = re.compile(r"\\[a-zA-Z]+|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d*\.?\d+|[^\W\d_]+")
_NUMBER_WORDS = {
    word: number
    for number, written in {
        "0": "zero", "2": "two twice double", "3": "three thrice triple", "4": "four", "5": "five", "6": "six",
        "7": "seven", "8": "eight", "9": "nine", "10": "ten", "11": "eleven", "12": "twelve dozen", "15": "fifteen",
        "20": "twenty", "30": "thirty", "40": "forty", "50": "fifty", "60": "sixty", "100": "hundred",
        "1000": "thousand", ".5": "half",
    }.items()
    for word in written.split()
}  # fmt: skip
"""Without "one", which mostly is no number."""


def words(text: str) -> list[str]:
    """The words and numbers of a text; case, white space, punctuation and TeX commands folded away.

    A number is the same in digits and words, with and without thousands separators ("1,000", "1000"; "two", "2").
    """
    tokens = _TOKEN.findall(unicodedata.normalize("NFKC", text))
    return [_folded(token) for token in tokens if not token.startswith("\\")]


def is_number(word: str) -> bool:
    """Whether a word of `words` is a number."""
    return word[0].isdigit() or word[0] == "."


@lru_cache(maxsize=100_000)
def _folded(token: str) -> str:
    if not is_number(token):
        word = token.casefold()
        return _NUMBER_WORDS.get(word, word)
    number = token.replace(",", "")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number.lstrip("0") or "0"


class Said:
    """A text as words, and what is looked up in it; each made when it is asked for."""

    def __init__(self, text: str) -> None:
        self.words = words(text)

    @cached_property
    def grams(self) -> dict[Gram, None]:
        """Sequences of three words, in order, each once."""
        return dict.fromkeys(zip(self.words, self.words[1:], self.words[2:], strict=False))

    @cached_property
    def pairs(self) -> set[Gram]:
        return set(zip(self.words, self.words[1:], strict=False))

    @cached_property
    def numbers(self) -> Counter[str]:
        return Counter(filter(is_number, self.words))

    def numbers_in_place(self, other: "Said") -> float:
        """The share of the numbers here that stand in the other text beside the same neighbour."""
        around = ["", *self.words, ""]
        places = [n for n, word in enumerate(around) if word and is_number(word)]
        kept = [n for n in places if {(around[n - 1], around[n]), (around[n], around[n + 1])} & other.pairs]
        return len(kept) / len(places) if places else 1.0

    @cached_property
    def joined(self) -> str:
        return f" {' '.join(self.words)} "

    def holds(self, other: "Said") -> bool:
        """Whether the other's words stand here one after the other."""
        return other.joined in self.joined
