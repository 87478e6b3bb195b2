"""Grade school mathematics, GSM8K in the paper: the rows of the official files, whose solutions end in the answer.

    {"question": "Natalia sold clips to 48 of her friends ...", "answer": "Natalia sold 48/2 = ... May.\\n#### 72"}

A row whose answer is the number alone is fine as well.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from flex.benchmarks.base import Anchor
from flex.benchmarks.math import Math
from flex.benchmarks.mathematics.answers import exact

_MARK = "####"
_AROUND = re.compile(
    r"^(?:#{4}\s*|(?:the\s+)?(?:final\s+)?answer(?:\s+is)?\s*[:=]?\s+)*[€£]?\s*(?=[-+.\d$])", re.IGNORECASE
)


class Gsm8k(Math):
    name: ClassVar[str] = "gsm8k"
    folder: ClassVar[str] = "data/gsm8k"
    source: ClassVar[str] = "`flex download --only gsm8k` fetches data/gsm8k"
    vocabulary: ClassVar[str] = (
        rf"{Math.vocabulary}|\b(?:how many|total|altogether|word problem|per (?:hour|day|week)|price|cost)\b"
    )
    prompts: ClassVar[str] = "default"
    retrieval: ClassVar[str] = "flat"
    anchors: ClassVar[Sequence[Anchor]] = (
        Anchor("She sold 48 + 24 = 72 clips.\n#### 72", "She sold 48/2 = 24 in May.\n#### 72", 1.0),
        Anchor("The answer is $1,080.", "1080", 1.0),
        Anchor("She sold 72 - 24 = 48 clips.\n#### 48", "She sold 48/2 = 24 in May.\n#### 72", 0.0),
        Anchor("I cannot tell.", "72", 0.0),
    )

    def extract(self, text: str) -> str | None:
        """As for mathematics; what models copy around the number, `#### 72` or `The answer is 72`, is left out."""
        answer = super().extract(text)
        return answer and (_AROUND.sub("", answer.strip()).rstrip(",").strip() or answer)

    def score(self, answer: str | None, target: str) -> float:
        """1 when both are the same number; a target may be the whole solution."""
        return super().score(answer, _final(target))

    def check_target(self, target: str) -> str | None:
        number = _final(target)
        if exact(number) is None or "=" in number:
            return f"the answer '{target[-60:]}' does not end in {_MARK} and a number"
        return None

    def _row(self, path: Path, number: int, line: str) -> dict[str, str]:
        row = super()._row(path, number, line)
        return {**row, "answer": _final(row["answer"])}


def _final(solution: str) -> str:
    """The number after the mark, without the commas that group its digits."""
    number = solution.rpartition(_MARK)[2].strip()
    return re.sub(r"(?<=\d),(?=\d)", "", number).rstrip(",")


benchmark = Gsm8k()
