"""The verifier: semantic feedback on an attempt, and whether it is accepted."""

import logging
import re
from collections.abc import Sequence
from typing import Any, Literal

from flex.benchmarks.base import Benchmark
from flex.errors import ParseError
from flex.prompt import Prompts
from flex.replies import ask, escape_tag, user
from flex.telemetry import span
from flex.types import Attempt, Model, Round, Task, Verdict

Acceptance = Literal["verifier", "score", "both"]
_VERDICT = re.compile(r"<next_step>\s*(continue|end)\s*</next_step>(?:[\W_]|</[a-z]+>)*\Z", re.IGNORECASE)
log = logging.getLogger(__name__)
IMPROVED = 1e-6
"""A score that is higher by less is the same one, calculated in another order."""


class Verifier:
    """Judges by two words, the model's and the benchmark's score; `acceptance` says which of them count.

    Of an open-ended benchmark, `Verifier(...)` makes a `MeasuringVerifier`.
    """

    def __new__(cls, model: Model, benchmark: Benchmark, *_: Any, **__: Any) -> "Verifier":
        return super().__new__(MeasuringVerifier if cls is Verifier and benchmark.open_ended else cls)

    def __init__(self, model: Model, benchmark: Benchmark, prompts: Prompts, acceptance: Acceptance = "both") -> None:
        self.model = model
        self.benchmark = benchmark
        self.prompts = prompts
        self.acceptance = acceptance
        self.open_ended = benchmark.open_ended

    async def judge(self, task: Task, attempt: Attempt, earlier: Sequence[Round] = ()) -> Verdict:
        """The verdict on an attempt after `earlier` rounds (paper, 3.1); without a target its word decides alone."""
        score = None if task.target is None else self.benchmark.score(attempt.answer, task.target)
        with span("verifier", "EVALUATOR", input=attempt.text) as recorded:
            by_verifier, feedback = await self._ask(task, attempt)
            recorded.set(output=feedback)
        accepted = self._accepts(by_verifier, score)
        if by_verifier and not accepted:
            feedback = self.prompts.render("overruled")
        return Verdict(accepted, feedback, by_verifier, score)

    async def _ask(self, task: Task, attempt: Attempt) -> tuple[bool | None, str]:
        prompt = self.prompts.render(
            "verifier",
            question=task.question,
            target=task.target,
            attempt=escape_tag(attempt.text, "attempt"),
            answer=None if attempt.answer is None else escape_tag(attempt.answer, "answer"),
        )
        try:
            return await ask(self.model, [user(prompt)], parse_verdict, self.prompts)
        except ParseError as error:
            log.warning("task %s: no verdict from the verifier: %s", task.id, error)
            return None, ""

    def _accepts(self, by_verifier: bool | None, score: float | None) -> bool:
        by_score = score is not None and self.benchmark.accepts(score)
        if score is None or self.acceptance == "verifier":
            return bool(by_verifier)
        return by_score if self.acceptance == "score" else by_score and bool(by_verifier)


class MeasuringVerifier(Verifier):
    """For an open-ended benchmark: accepts an answer that scores better than the best so far, and asks no model."""

    async def judge(self, task: Task, attempt: Attempt, earlier: Sequence[Round] = ()) -> Verdict:
        """How good the answer is on what the task itself shows, compared with the best of the rounds before."""
        scored = [(past.verdict.score or 0.0, past.attempt.answer) for past in earlier]
        best, best_answer = max([(0.0, None), *scored], key=lambda pair: pair[0])
        score: float | None = None
        problem = ""
        try:
            score = self.benchmark.practice(task, attempt.answer)
        except ParseError as error:
            problem = str(error)
        improved = score is not None and score > best + IMPROVED
        feedback = self.prompts.render(
            "progress",
            score=score,
            problem=problem,
            improved=improved,
            best=score if improved else best,
            best_answer=attempt.answer if improved else best_answer,
        )
        return Verdict(improved, feedback, None, score)


def parse_verdict(text: str) -> tuple[bool, str]:
    """(accepted, feedback) out of a reply that ends in `<next_step>continue|end</next_step>`.

    Raises ParseError also when words follow: they may quote or take back a verdict.
    """
    if (verdict := _VERDICT.search(text)) is None:
        raise ParseError("the reply has to end in <next_step>continue</next_step> or <next_step>end</next_step>")
    return verdict[1].lower() == "end", text[: verdict.start()].strip()
