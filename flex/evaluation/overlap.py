"""What two texts have in common: their words, sequences of words, and numbers."""

from collections import Counter
from functools import cached_property

from flex.text import is_number, words

Gram = tuple[str, ...]
"""Words one after the other."""


class WordSequence:
    """The words of a text, and what is looked up among them, computed at the first use."""

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

    def numbers_in_place(self, other: "WordSequence") -> float:
        """The share of these numbers that the other text has beside the same neighbour."""
        around = ["", *self.words, ""]
        places = [n for n, word in enumerate(around) if word and is_number(word)]
        kept = [n for n in places if {(around[n - 1], around[n]), (around[n], around[n + 1])} & other.pairs]
        return len(kept) / len(places) if places else 1.0

    @cached_property
    def joined(self) -> str:
        return f" {' '.join(self.words)} "

    def holds(self, other: "WordSequence") -> bool:
        """Whether the other text's words are among these, in one piece."""
        return other.joined in self.joined
