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

Acceptance = Literal["score", "verifier", "both"]
_VERDICT = re.compile(r"<next_step>\s*(continue|end)\s*</next_step>(?:[\W_]|</[a-z]+>)*\Z", re.IGNORECASE)
log = logging.getLogger(__name__)
IMPROVED = 1e-6
"""A score that is higher by less is the same one, calculated in another order."""


class Verifier:
    """Judges by two words, the benchmark's score and the model's; `acceptance` says which of them count.

    "score": the score alone where the target is known, and the model says what is wrong with what failed; "verifier":
    the model alone; "both": neither without the other. Without a target the model's word decides alone.

    Of an open-ended benchmark, `Verifier(...)` makes a `MeasuringVerifier`.
    """

    def __new__(cls, model: Model, benchmark: Benchmark, *_: Any, **__: Any) -> "Verifier":
        return super().__new__(MeasuringVerifier if cls is Verifier and benchmark.open_ended else cls)

    def __init__(self, model: Model, benchmark: Benchmark, prompts: Prompts, acceptance: Acceptance = "score") -> None:
        self.model = model
        self.benchmark = benchmark
        self.prompts = prompts
        self.acceptance = acceptance
        self.open_ended = benchmark.open_ended

    async def judge(self, task: Task, attempt: Attempt, earlier: Sequence[Round] = ()) -> Verdict:
        """The verdict on an attempt after `earlier` rounds (paper, 3.1); the model is not asked where it has no say."""
        score = None if task.target is None else self.benchmark.score(attempt.answer, task.target)
        by_score = None if score is None else self.benchmark.accepts(score)
        if by_score and self.acceptance == "score":
            return Verdict(True, score=score, accepted_by_score=True)
        by_verifier, feedback, problem = None, "", ""
        with span("verifier", "EVALUATOR", input=attempt.text) as recorded:
            try:
                by_verifier, feedback = await self._ask(task, attempt)
            except ParseError as error:
                problem = str(error)
                log.warning("task %s: no verdict from the verifier: %s", task.id, error)
            recorded.set(output=feedback or problem)
        score_has_a_say = by_score is not None and self.acceptance != "verifier"
        accepted = by_verifier is True and (by_score is True or not score_has_a_say)
        if by_verifier and not accepted:
            feedback = self.prompts.render("overruled")
        return Verdict(accepted, feedback, by_verifier, score, by_score, problem)

    async def _ask(self, task: Task, attempt: Attempt) -> tuple[bool, str]:
        prompt = self.prompts.render(
            "verifier",
            question=task.question,
            target=task.target,
            attempt=escape_tag(attempt.text, "attempt"),
            answer=None if attempt.answer is None else escape_tag(attempt.answer, "answer"),
        )

        def parse(text: str) -> tuple[bool, str]:
            accepted, feedback = parse_verdict(text)
            self.prompts.refuse_copies("verifier", feedback)
            return accepted, feedback

        return await ask(self.model, [user(prompt)], parse, self.prompts)


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
