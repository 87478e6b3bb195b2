"""The verifier: semantic feedback on an attempt, and whether it is accepted."""

import logging
import re
from typing import Literal

from flex.benchmarks.base import Benchmark
from flex.contract import ask, user
from flex.errors import ParseError
from flex.parsing import quoted
from flex.prompt import Prompts
from flex.telemetry import span
from flex.types import Attempt, Model, Task, Verdict

Acceptance = Literal["verifier", "score", "both"]
_VERDICT = re.compile(r"<next_step>\s*(continue|end)\s*</next_step>(?:[\W_]|</[a-z]+>)*\Z", re.IGNORECASE)
log = logging.getLogger(__name__)


class Verifier:
    """Judges by two words, the model's and the benchmark's score; `acceptance` says which of them count."""

    def __init__(self, model: Model, benchmark: Benchmark, prompts: Prompts, acceptance: Acceptance = "both") -> None:
        self.model = model
        self.benchmark = benchmark
        self.prompts = prompts
        self.acceptance = acceptance

    async def judge(self, task: Task, attempt: Attempt) -> Verdict:
        """The verdict on an attempt (paper, 3.1); without a known target the verifier's word decides alone."""
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
            attempt=quoted(attempt.text, "attempt"),
            answer=None if attempt.answer is None else quoted(attempt.answer, "answer"),
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


def parse_verdict(text: str) -> tuple[bool, str]:
    """(accepted, feedback) out of a reply that ends in `<next_step>continue|end</next_step>`.

    Raises ParseError, too, when words follow: they may quote or take back a verdict.
    """
    if (verdict := _VERDICT.search(text)) is None:
        raise ParseError("the reply has to end in <next_step>continue</next_step> or <next_step>end</next_step>")
    return verdict[1].lower() == "end", text[: verdict.start()].strip()
