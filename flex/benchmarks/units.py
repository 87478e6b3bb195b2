"""Conversion of units, old and new, within a tolerance; rows made by us (scripts/make_units.py).

{"question": "Convert 3.2 kilometres per hour to metres per second. ...", "answer": "8/9"}
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

from flex.benchmarks.base import Anchor
from flex.benchmarks.math import MAX_ANSWER, Math
from flex.benchmarks.mathematics.answers import exact
from flex.types import Task

WITHIN = Fraction(1, 1000)
"""Of the target; the questions say so."""


class Units(Math):
    name: ClassVar[str] = "units"
    folder: ClassVar[str] = "data/units"
    source: ClassVar[str] = "`python scripts/make_units.py` writes data/units"
    scorer: ClassVar[str] = "2"
    vocabulary: ClassVar[str] = rf"{Math.vocabulary}|\\bunits?\\b|metres?\\b|\\bmiles\\b|conversion factor"
    prompts: ClassVar[str] = "units"
    retrieval: ClassVar[str] = "flat"
    anchors: ClassVar[Sequence[Anchor]] = (
        Anchor("That is about \\boxed{0.8889} metres per second.", "8/9", 1.0),
        Anchor("<answer>4,840 square yards</answer>", "4840", 1.0),
        Anchor("<answer>0.89</answer>", "8/9", 0.0),
        Anchor("I cannot tell.", "8/9", 0.0),
    )

    def score(self, answer: str | None, target: str) -> float:
        """1 when the answer is a number within 0.1 % of the target, whatever unit is written behind it."""
        if answer is None or len(answer) > MAX_ANSWER:
            return 0.0
        number, wanted = exact(answer), Fraction(target)
        return float(number is not None and abs(number - wanted) <= WITHIN * abs(wanted))

    def example(self, task: Task) -> str | None:
        """The target in decimals, as an answer is given."""
        return None if task.target is None else f"{float(Fraction(task.target)):.6g}"

    def check_target(self, target: str) -> str | None:
        if len(target) <= MAX_ANSWER and re.fullmatch(r"-?\d+(?:/0*[1-9]\d*|\.\d+)?", target):
            return None
        return f"the answer '{target[:60]}' is no integer, decimal or fraction"


benchmark = Units()
