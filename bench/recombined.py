"""Libraries of any size that are always the same: entry number n is made of words, or of the sentences of a library.

Made-up words have a vocabulary and frequencies like those of a language; sentences of a published library have its very
words, so that many entries share many of them, which makes finding one harder.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from flex.explib import ExpLib
from flex.search.query import searchable
from flex.types import ZONES, Experience, Rule

VOCABULARY = 20_000
CATEGORIES = 20
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True)
class Recombined:
    """Makes entries of about so many characters, of made-up words or of the sentences of the library at `like`."""

    characters: int
    like: Path | None = None

    def entry(self, number: int) -> Experience:
        """Entry number `number`, whatever was made before."""
        rng = random.Random(number)
        method, rule, example, trajectory = (
            self._text(rng, pool, round(self.characters * share)) for pool, share in self._levels
        )
        return Experience(
            method,
            tuple(Rule(text, (support,)) for text, support in zip(_halves(rule), _halves(example), strict=True)),
            trajectory,
            zone=rng.choices(ZONES, (7, 2, 1))[0],
            problem_category=f"category {rng.randrange(CATEGORIES)}",
            priority=rng.randint(1, 5),
            id=f"made-{number:09d}",
            created_at="2030-01-01T00:00:00",
        )

    @cached_property
    def _levels(self) -> list[tuple[list[str], float]]:
        """What method, rules, examples and trajectory are made of, and their shares of an entry's characters."""
        if self.like is None:
            return [([], share) for share in (0.3, 0.2, 0.1, 0.4)]
        entries = list(ExpLib(self.like))
        texts = [
            [entry.method for entry in entries],
            [rule.rule for entry in entries for rule in entry.rules],
            [example for entry in entries for rule in entry.rules for example in rule.examples],
            [entry.revised_trajectory for entry in entries],
        ]
        total = sum(len(text) for level in texts for text in level)
        return [(_sentences(level), sum(map(len, level)) / total) for level in texts]

    @cached_property
    def _words(self) -> tuple[list[str], list[float]]:
        """The vocabulary, and up to where in the frequencies each word reaches."""
        rng = random.Random(0)
        letters = [rng.choices("etaoinshrdlucmfwypvbgkjqxz", k=rng.randint(2, 10)) for _ in range(VOCABULARY)]
        return ["".join(word) for word in letters], list(accumulate(1 / (rank + 5) for rank in range(VOCABULARY)))

    def _text(self, rng: random.Random, pool: Sequence[str], characters: int) -> str:
        if not pool:
            words, reach = self._words
            return " ".join(rng.choices(words, cum_weights=reach, k=max(characters // 6, 2)))
        chosen = [rng.choice(pool)]
        while sum(map(len, chosen)) < characters:
            chosen.append(rng.choice(pool))
        return " ".join(chosen)[: max(characters, 100)]


def question(experience: Experience, terms: int = 22) -> str:
    """Words of an entry in any order, as an agent would ask that has something of the kind before it."""
    rng = random.Random(experience.id)
    words = list(dict.fromkeys(searchable(experience).split()))
    return " ".join(rng.sample(words, min(terms, len(words))))


def _sentences(texts: Sequence[str]) -> list[str]:
    return [sentence for text in texts for sentence in _SENTENCE_ENDS.split(text) if len(sentence) > 10]


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]
