"""Formulas as text: sums of weighted terms, taken apart, put together and found in what others wrote.

rank("ESM-IF1") + 0.5 * rank(hydropathy) - abs(charge)
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

LONGEST = 1000
"""Characters of a formula that is taken over."""

_FUNCTIONS = ("rank", "z", "log", "abs", "min", "max", "mean", "median", "trimmed_mean")
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])|(?P<name>[A-Za-z_]\w*)
    |(?P<quoted>"[^"\n]*"|'[^'\n]*'|`[^`\n]*`)|(?P<operator>\*\*|[-+*/(),]))""",
    re.VERBOSE,
)
_WEIGHT = re.compile(r"(\d+\.?\d*|\.\d+)\s*\*(?!\*)\s*(.+)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Terms = Mapping[str, float]
"""Weights by term; a term is a text such as `rank("ESM-IF1")`."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A formula that was measured on the labelled mutants of an assay."""

    formula: str
    score: float
    assay: str
    """Empty where the text does not say."""


def rank_of(column: str) -> str:
    """The term that a column has in a sum of ranks."""
    mark = next((mark for mark in "\"'`" if mark not in column), '"')
    return f"rank({mark}{column}{mark})"


def columns_of(formula: str) -> list[str] | None:
    """The columns that a formula names, each once; None when the text is no formula."""
    found: dict[str, None] = {}
    place, depth, wanted = 0, 0, True
    text = formula.strip()
    while place < len(text):
        if (token := _TOKEN.match(text, place)) is None:
            return None
        place, kind = token.end(), str(token.lastgroup)
        said = token[kind]
        operand = kind != "operator"
        if operand and not wanted:
            return None
        depth += {"(": 1, ")": -1}.get(said, 0)
        if depth < 0:
            return None
        called = kind == "name" and text[place : place + 1] == "("
        if called and said not in _FUNCTIONS:
            return None
        if operand and not called and kind != "number":
            found[said if kind == "name" else said[1:-1]] = None
        wanted = called or (said != ")" and not operand)
    return list(found) if found and not depth and not wanted else None


def terms_of(formula: str) -> dict[str, float]:
    """The terms of a sum with their weights, the largest being 1; what cannot be taken apart is one term."""
    terms: dict[str, float] = {}
    for sign, piece in _pieces(formula):
        weighted = _WEIGHT.fullmatch(piece)
        term, weight = (weighted[2].strip(), float(weighted[1])) if weighted else (piece, 1.0)
        terms[term] = terms.get(term, 0.0) + sign * weight
    largest = max(map(abs, terms.values()), default=0.0) or 1.0
    return {term: weight / largest for term, weight in terms.items() if weight}


def _pieces(formula: str) -> Iterator[tuple[int, str]]:
    """Sign and text of what stands between the + and - outside of brackets and quotes."""
    sign, start, depth, place = 1, 0, 0, 0
    while token := _TOKEN.match(formula, place):
        said = token[str(token.lastgroup)]
        depth += {"(": 1, ")": -1}.get(said, 0)
        if said in "+-" and not depth:
            piece = formula[start : token.start()].strip()
            if not piece or piece[-1] not in "*/":  # else the sign belongs to a factor
                if piece:
                    yield sign, piece
                    sign = 1
                sign, start = (-sign if said == "-" else sign), token.end()
        place = token.end()
    if rest := formula[start:].strip():
        yield sign, rest


def written(terms: Terms) -> str:
    """The sum as a formula, heaviest terms first; equal sums give equal texts, whatever their scale."""
    largest = max(map(abs, terms.values()))
    ordered = sorted(terms.items(), key=lambda pair: (-abs(round(pair[1] / largest, 3)), pair[0]))
    said = [_signed(term, round(weight / largest, 3)) for term, weight in ordered if round(weight / largest, 3)]
    return " ".join(said).removeprefix("+ ").replace("- ", "-", 1 if said and said[0][0] == "-" else 0)


def _signed(term: str, weight: float) -> str:
    return f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):g} * '}{term}"


def usable(formula: str, columns: Collection[str]) -> bool:
    """Whether a text is a formula over columns that are there."""
    named = columns_of(formula) if len(formula) <= LONGEST else None
    return named is not None and set(named) <= set(columns)
