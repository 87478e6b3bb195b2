"""Whether a reply only repeats its prompt: weak models copy the example that shows the form.

It is held against what the prompt says itself, never against what was filled in: to quote a question is right.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from flex.errors import ParseError

COPIED = "it copies its prompt"
"""Begins the problem of a reply that does, wherever it is logged."""
_GRAM = 3
_OF_EXAMPLES = (8, 6, 0.5)
"""A text is a copy of examples with so many of their words in a row; or, from so many words on, with that share."""
_OF_ALL = (14, 14, 0.8)
"""Of instructions more may be used: "every heavy atom of the product comes from a reactant" is sound feedback."""
_ALIKE = 0.5
"""Places that share so much of their words are the same one."""
_SHOWN = 12
"""Words of a copy that are named."""

_PLACE = re.compile(r"<[A-Za-z][^<>=/]*\s[^<>=/]*>")
_ENDS = "\"'`.,;:!?*_()[]{}<>"
"""Stripped from words; what is inside of one stays, so that a SMILES is a word."""
_EXAMPLE = re.compile(r"^[ \t]*```.*?^[ \t]*```|^Example\b.*?(?:\n[ \t]*\n|\Z)", re.DOTALL | re.MULTILINE)


def is_copy(problem: str) -> bool:
    """Whether this problem of a reply is that it copied its prompt."""
    return problem.startswith(COPIED)


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a prompt: its examples (fenced blocks, paragraphs that begin with "Example") and its instructions.

    Places to be filled in, such as `<the first step>`, are part of no honest reply.
    """

    places: tuple[frozenset[str], ...]
    examples: frozenset[tuple[str, ...]]
    all: frozenset[tuple[str, ...]]

    @classmethod
    def of(cls, static: Sequence[str]) -> "Wording":
        """Of the pieces of text between the variables of a template."""
        examples = [example for piece in static for example in _EXAMPLE.findall(piece)]
        parts = [*examples, *(part for piece in static for part in _EXAMPLE.split(piece))]
        places = {frozenset(_words(place)) for piece in static for place in _PLACE.findall(piece)}
        return cls(tuple(places), _grams(examples), _grams(parts))

    def copied(self, text: str) -> str | None:
        """What of a text is copied: a place that was not filled in, or words; None when it speaks for itself."""
        for place in map(str, _PLACE.findall(text)):
            said = frozenset(_words(place))
            if any(len(said & other) >= _ALIKE * len(said | other) for other in self.places):
                return " ".join(place.split())
        words = _words(text)
        for grams, (in_a_row, shortest, share) in ((self.examples, _OF_EXAMPLES), (self.all, _OF_ALL)):
            runs = list(_runs(words, grams))
            longest = max(runs, key=len, default=[])
            is_form = words.count("...") > 1 and longest == words  # "When ..., do ..., because ...", nothing filled in
            is_mostly = len(words) >= shortest and sum(map(len, runs)) >= share * len(words)
            if len(longest) >= in_a_row or is_form or is_mostly:
                return _shown(longest)
        return None

    def refuse_copies(self, texts: Iterable[str]) -> None:
        """Raises ParseError, to be shown to the model, when one of its texts is copied."""
        if words := next(filter(None, map(self.copied, texts)), None):
            raise ParseError(f"{COPIED}: '{words}' only shows the form; say what holds in this case, in your own words")


def _runs(words: Sequence[str], grams: frozenset[tuple[str, ...]]) -> Iterator[list[str]]:
    """The stretches of words that stand in `grams`."""
    end = 0
    run: list[str] = []
    for start in range(len(words) - _GRAM + 1):
        if tuple(words[start : start + _GRAM]) not in grams:
            continue
        if start > end and run:
            yield run
            run = []
        run += words[max(start, end) : start + _GRAM]
        end = start + _GRAM
    if run:
        yield run


def _grams(texts: Iterable[str]) -> frozenset[tuple[str, ...]]:
    lists = map(_words, texts)
    return frozenset(tuple(words[i : i + _GRAM]) for words in lists for i in range(len(words) - _GRAM + 1))


def _words(text: str) -> list[str]:
    pieces = text.lower().replace("…", "...").replace("...", " ... ").split()
    return [word for word in (piece if piece == "..." else piece.strip(_ENDS) for piece in pieces) if word]


def _shown(words: Sequence[str]) -> str:
    return " ".join(words[:_SHOWN]) + " ..." * (len(words) > _SHOWN)
