r"""Competition mathematics, AIME83-25 in the paper: the answer is compared by its value (flex/benchmarks/mathematics).

{"question": "Find the sum of all positive integers $n$ for which ...", "answer": "38"}
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from flex.benchmarks.base import Anchor, Benchmark
from flex.benchmarks.mathematics.answers import same
from flex.benchmarks.mathematics.reading import find_answer
from flex.benchmarks.mathematics.typography import plain
from flex.chemistry.smiles import products_in
from flex.endpoint import chat_templates
from flex.text import one_line

MAX_ANSWER = 400
"""Characters of an answer that can be right; no target is nearly as long."""
MOST_WORDS = 8
"""Of a target; two texts that are longer are hardly ever alike."""
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")


class Math(Benchmark):
    name: ClassVar[str] = "math"
    folder: ClassVar[str] = "data/AIME"
    source: ClassVar[str] = "`flex download --only aime` fetches data/AIME"
    scorer: ClassVar[str] = "3"
    vocabulary: ClassVar[str] = (
        r"\b(?:equation|integer|theorem|polynomial|triangle|modul[oi]|probabilit|algebra|geometr|combinatori|arithmetic|math)"
    )
    prompts: ClassVar[str] = "aime"
    anchors: ClassVar[Sequence[Anchor]] = (
        Anchor("So the sum is \\boxed{070}.", "70", 1.0),
        Anchor("The answer is $\\frac{1}{2}$.", "0.5", 1.0),
        Anchor("It is not 70 but \\boxed{-70}.", "70", 0.0),
        Anchor("\\boxed{71}", "70", 0.0),
        Anchor("I cannot tell.", "70", 0.0),
    )

    def extract(self, text: str) -> str | None:
        """The answer in what is said, not thought: boxed, tagged, behind "####", stated, or the last number."""
        return find_answer(chat_templates.read(text)[0])

    def score(self, answer: str | None, target: str) -> float:
        """1 when both are the same number, expression, equation or collection, or the same text where they are none."""
        return float(answer is not None and len(answer) <= MAX_ANSWER and same(answer, target))

    def check_question(self, question: str) -> str | None:
        return f"the question '{question[:60]}' is a molecule" if products_in(question) == [question.strip()] else None

    def check_target(self, target: str) -> str | None:
        shown = f"the answer '{one_line(target, 60)}'"
        if "####" in target or "<<" in target:
            return f"{shown} is a whole solution, as GSM8K has them"
        if len(target) > MAX_ANSWER or not plain(target):
            return f"{shown} is nothing that can be compared"
        if len(_WORD.findall(target)) > MOST_WORDS:
            return f"{shown} is a text, not a value that an answer can be compared with"
        if self.score(self.extract(rf"\boxed{{{target}}}"), target) < 1:
            return f"{shown} would not be recognised if a model gave it"
        return None


benchmark = Math()
