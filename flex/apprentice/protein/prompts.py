"""What the apprentice reads in a prompt on an assay: its name, its columns, and formulas with their scores."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flex.apprentice.protein.formulas import Scored, columns_of, normalized, usable
from flex.apprentice.text import Messages, answers_in, text_of, without_avoided

_ASSAY = re.compile(r"^Assay: (\S+)$", re.MULTILINE)
_SELECTION = re.compile(r"^Selection type: (.+)$", re.MULTILINE)
_COLUMNS = re.compile(r"^Columns\b[^\n]*:\n((?:- .+\n?)+)", re.MULTILINE)
_COLUMN = re.compile(r'^- "(.+?)": ', re.MULTILINE)
_SCORE = re.compile(r"\bScore (-?\d+\.\d+)")
_BEST = re.compile(r"\bBest: (.+?) with (-?\d+\.\d+)(?: \((\S+)\))?")
_LABEL = re.compile(r"^\W*([\w.-]+): ")
_SEPARATOR = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
_SCORED = re.compile(r"(.+), (-?\d+\.\d+)\W*")


@dataclass(frozen=True, slots=True)
class Assay:
    """What a question says about an assay."""

    id: str
    columns: tuple[str, ...]
    selection: str
    """Empty where the question does not say."""


def assay_in(text: str) -> Assay | None:
    """The assay that a text asks about, the last one; None when it is about something else."""
    names, tables = _ASSAY.findall(text), _COLUMNS.findall(text)
    if not names or not tables or not (columns := tuple(_COLUMN.findall(tables[-1]))):
        return None
    return Assay(names[-1], columns, next(iter(_SELECTION.findall(text)), "").strip())


def scores_in(messages: Messages) -> dict[str, float | None]:
    """The formulas that the apprentice answered in this conversation, with the scores in the feedback on them."""
    scores: dict[str, float | None] = {}
    formula = None
    for message in messages:
        text = text_of(message.get("content"))
        if message.get("role") == "assistant":
            formula = next(iter(answers_in(text)), None)
        elif formula:
            scores[normalized(formula)] = score_in(text)
            formula = None
    return scores


def score_in(feedback: str) -> float | None:
    """The first score in a feedback."""
    found = _SCORE.search(feedback)
    return float(found[1]) if found else None


def experience_before(text: str) -> str:
    """What precedes the question on the assay: the retrieved experience."""
    return text[: next(reversed([match.start() for match in _ASSAY.finditer(text)]), 0)]


def formulas_in(experience: str) -> list[Scored]:
    """The formulas with scores in past experience, each once for each assay, but for those that are to be avoided.

    Two forms are read: `assay: formula, score; formula, score` and `Best: formula with score (assay)`.
    """
    found = {
        (scored.assay, scored.formula): scored
        for line in without_avoided(experience).splitlines()
        for scored in _scored(line)
    }
    return list(found.values())


def _scored(line: str) -> Iterator[Scored]:
    for formula, score, assay in _BEST.findall(line):
        if columns_of(formula):
            yield Scored(normalized(formula), float(score), assay)
    if label := _LABEL.match(line):
        for piece in _SEPARATOR.split(line):
            if (scored := _SCORED.fullmatch(piece.strip())) and (formula := _formula_at_end(scored[1])):
                yield Scored(normalized(formula), float(scored[2]), label[1])


def _formula_at_end(text: str) -> str | None:
    """The formula that a text is, or that follows a label in it."""
    starts = [0, *(match.end() for match in re.finditer(r": ", text))]
    return next((text[start:].strip() for start in starts if columns_of(text[start:])), None)


def scores_for(assay: Assay, known: list[Scored]) -> dict[str, float | None]:
    """The formulas with a score for this assay."""
    own = (each for each in known if each.assay == assay.id and usable(each.formula, assay.columns))
    return {each.formula: each.score for each in own}


def formulas_elsewhere(assay: Assay, known: list[Scored]) -> list[str]:
    """The formulas of other assays that can be used for this one, those with the highest scores first."""
    others = [each for each in known if each.assay != assay.id and each.score > 0]
    ordered = sorted(others, key=lambda each: (-each.score, each.formula))
    return list(dict.fromkeys(each.formula for each in ordered if usable(each.formula, assay.columns)))
