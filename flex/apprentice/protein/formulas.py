"""Formulas as text: sums of weighted terms, taken apart, put together and found in what others wrote.

rank("ESM-IF1") + 0.5 * rank(hydropathy) - abs(charge)
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

MAX_CHARACTERS = 1000
"""A formula longer than this is not used."""

_FUNCTIONS = ("rank", "z", "log", "abs", "min", "max", "mean", "median", "trimmed_mean")
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])|(?P<name>[A-Za-z_]\w*)
    |(?P<quoted>"[^"\n]*"|'[^'\n]*'|`[^`\n]*`)|(?P<operator>\*\*|[-+*/(),]))""",
    re.VERBOSE,
)
_WEIGHT = re.compile(r"(\d+\.?\d*|\.\d+)\s*\*(?!\*)\s*(.+)", re.DOTALL)

Terms = Mapping[str, float]
"""Weights by term; a term is a text such as `rank("ESM-IF1")`."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A formula with its score on the labelled mutants of an assay."""

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
    position, depth, operand_expected = 0, 0, True
    text = formula.strip()
    while position < len(text):
        if (token := _TOKEN.match(text, position)) is None:
            return None
        position, kind = token.end(), str(token.lastgroup)
        symbol = token[kind]
        operand = kind != "operator"
        if operand and not operand_expected:
            return None
        depth += {"(": 1, ")": -1}.get(symbol, 0)
        if depth < 0:
            return None
        called = kind == "name" and text[position : position + 1] == "("
        if called and symbol not in _FUNCTIONS:
            return None
        if operand and not called and kind != "number":
            found[symbol if kind == "name" else symbol[1:-1]] = None
        operand_expected = called or (symbol != ")" and not operand)
    return list(found) if found and not depth and not operand_expected else None


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
    sign, start, depth, position = 1, 0, 0, 0
    while token := _TOKEN.match(formula, position):
        symbol = token[str(token.lastgroup)]
        depth += {"(": 1, ")": -1}.get(symbol, 0)
        if symbol in "+-" and not depth:
            piece = formula[start : token.start()].strip()
            if not piece or piece[-1] not in "*/":  # else the sign belongs to a factor
                if piece:
                    yield sign, piece
                    sign = 1
                sign, start = (-sign if symbol == "-" else sign), token.end()
        position = token.end()
    if rest := formula[start:].strip():
        yield sign, rest


def formula_of(terms: Terms) -> str:
    """The sum as a formula, the largest weight first; equal sums give equal texts, whatever their scale."""
    largest = max(map(abs, terms.values()))
    ordered = sorted(terms.items(), key=lambda pair: (-abs(round(pair[1] / largest, 3)), pair[0]))
    signed = [_signed(term, round(weight / largest, 3)) for term, weight in ordered if round(weight / largest, 3)]
    text = " ".join(signed).removeprefix("+ ")
    return f"-{text[2:]}" if text.startswith("- ") else text


@lru_cache(maxsize=4096)
def normalized(formula: str) -> str:
    """The formula as `formula_of` writes it."""
    return formula_of(terms_of(formula))


def _signed(term: str, weight: float) -> str:
    return f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):g} * '}{term}"


def usable(formula: str, columns: Collection[str]) -> bool:
    """Whether a text is a formula over these columns."""
    named = columns_of(formula) if len(formula) <= MAX_CHARACTERS else None
    return named is not None and set(named) <= set(columns)
