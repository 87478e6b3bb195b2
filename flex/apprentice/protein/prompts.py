"""What the apprentice reads out of a prompt on an assay: its name, its columns, and formulas with their scores."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flex.apprentice.protein.formulas import Scored, columns_of, terms_of, usable, written
from flex.apprentice.text import Messages, answers_in, text_of

_ASSAY = re.compile(r"^Assay: (\S+)$", re.MULTILINE)
_SELECTION = re.compile(r"^Selection type: (.+)$", re.MULTILINE)
_COLUMNS = re.compile(r"^Columns\b[^\n]*:\n((?:- .+\n?)+)", re.MULTILINE)
_COLUMN = re.compile(r'^- "(.+?)": ', re.MULTILINE)
_SCORE = re.compile(r"\bScore (-?\d+\.\d+)")
_BEST = re.compile(r"\bBest: (.+?) with (-?\d+\.\d+)(?: \((\S+)\))?")
_LABEL = re.compile(r"^\W*([\w.-]+): ")
_SEPARATOR = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
_PIECE = re.compile(r"(.+), (-?\d+\.\d+)\W*")


@dataclass(frozen=True, slots=True)
class Assay:
    """What is asked about an assay."""

    id: str
    columns: tuple[str, ...]
    selection: str
    """Empty where it is not told."""


def assay_in(text: str) -> Assay | None:
    """The assay that a text asks about, the last one; None when it is about something else."""
    names, tables = _ASSAY.findall(text), _COLUMNS.findall(text)
    if not names or not tables or not (columns := tuple(_COLUMN.findall(tables[-1]))):
        return None
    return Assay(names[-1], columns, next(iter(_SELECTION.findall(text)), "").strip())


def measured(messages: Messages) -> dict[str, float | None]:
    """The formulas that the apprentice has answered in this conversation, with the scores that it was told then."""
    found: dict[str, float | None] = {}
    formula = None
    for message in messages:
        text = text_of(message.get("content"))
        if message.get("role") == "assistant":
            formula = next(iter(answers_in(text)), None)
        elif formula:
            found[written(terms_of(formula))] = score_in(text)
            formula = None
    return found


def score_in(feedback: str) -> float | None:
    """The score that a feedback tells first."""
    found = _SCORE.search(feedback)
    return float(found[1]) if found else None


def before_question(text: str) -> str:
    """What stands before the assay: the retrieved experience."""
    return text[: next(reversed([match.start() for match in _ASSAY.finditer(text)]), 0)]


def recalled(experience: str) -> list[Scored]:
    """The formulas with scores that are written in past experience, each once for each assay.

    Read are `assay: formula, score; formula, score` and `Best: formula with score (assay)`.
    """
    found = {(scored.assay, scored.formula): scored for line in experience.splitlines() for scored in _scored(line)}
    return list(found.values())


def _scored(line: str) -> Iterator[Scored]:
    for formula, score, assay in _BEST.findall(line):
        if columns_of(formula):
            yield Scored(written(terms_of(formula)), float(score), assay)
    label = _LABEL.match(line)
    for piece in _SEPARATOR.split(line) if label else ():
        if (said := _PIECE.fullmatch(piece.strip())) and (formula := _formula_at_end(said[1])):
            yield Scored(written(terms_of(formula)), float(said[2]), label[1] if label else "")


def _formula_at_end(text: str) -> str | None:
    """The formula that a text is, or that follows a label in it."""
    starts = [0, *(match.end() for match in re.finditer(r": ", text))]
    return next((text[start:].strip() for start in starts if columns_of(text[start:])), None)


def of_assay(memories: list[Scored], assay: Assay) -> dict[str, float | None]:
    """The formulas that experience has scores of for this assay."""
    return {m.formula: m.score for m in memories if m.assay == assay.id and usable(m.formula, assay.columns)}


def elsewhere(memories: list[Scored], assay: Assay) -> list[str]:
    """The formulas of other assays that can be used for this one, those with the highest scores first."""
    others = [m for m in memories if m.assay != assay.id and m.score > 0 and usable(m.formula, assay.columns)]
    return list(dict.fromkeys(m.formula for m in sorted(others, key=lambda m: (-m.score, m.formula))))
