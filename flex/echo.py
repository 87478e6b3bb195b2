"""Whether a reply only repeats its prompt: weak models copy the example that shows the form.

It is held against what the prompt says itself, never against what was filled in: to quote a question is right.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from flex.errors import ParseError

COPIED = "it copies its prompt"
"""Begins the problem of a reply that does, wherever it is logged."""
_IN_A_ROW = 8
"""So many words in a row of an example are copied, whatever surrounds them."""
_IN_A_ROW_ELSEWHERE = 25
"""Of the instructions more may be used: "every heavy atom of the product comes from a reactant" is sound feedback."""
_SHARE = 0.5
"""The share of a text, of `_SHORTEST` words or more, that comes from examples in pieces of three words."""
_SHORTEST = 6
_GRAM = 3
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

    places: frozenset[str]
    examples: frozenset[tuple[str, ...]]
    instructions: frozenset[tuple[str, ...]]

    @classmethod
    def of(cls, static: Sequence[str]) -> "Wording":
        """Of the pieces of text between the variables of a template."""
        examples = [example for piece in static for example in _EXAMPLE.findall(piece)]
        instructions = [part for piece in static for part in _EXAMPLE.split(piece)]
        places = {_folded(place) for piece in static for place in _PLACE.findall(piece)}
        return cls(frozenset(places), _grams(examples), _grams(instructions))

    def copied(self, text: str) -> str | None:
        """What of a text is copied: a place that was not filled in, or words; None when it speaks for itself."""
        for place in map(_folded, _PLACE.findall(text)):
            if place in self.places:
                return place
        words = _words(text)
        from_examples = list(_runs(words, self.examples))
        longest = max(from_examples, key=len, default=[])
        share = sum(map(len, from_examples)) / max(len(words), 1)
        if len(longest) >= _IN_A_ROW or (len(words) >= _SHORTEST and share >= _SHARE):
            return _shown(longest)
        from_anywhere = list(_runs(words, self.examples | self.instructions))
        longest = max(from_anywhere, key=len, default=[])
        # A form with nothing filled in: "When ..., do ..., because ...".
        if len(longest) >= _IN_A_ROW_ELSEWHERE or (words.count("...") > 1 and longest == words):
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


def _folded(place: str) -> str:
    return " ".join(place.lower().split())


def _shown(words: Sequence[str]) -> str:
    return " ".join(words[:_SHOWN]) + " ..." * (len(words) > _SHOWN)
