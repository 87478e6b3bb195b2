"""The numbers of one setting, as they stand in its summary.json."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from flex.benchmarks import Benchmark
from flex.endpoint.usage import summed
from flex.evaluation.results import Result, load_results
from flex.evaluation.statistics import accuracy_interval, majority, mean_interval, pass_at_k
from flex.files.jsonlines import decode, to_jsonable
from flex.types import Usage

PASS, TOP = "pass@", "top-"
COUNTS = ("failed", "unanswered", "unforeseen", "cut_off", "filtered", "empty", "consulted")
"""Numbers of answers, and of tasks, as they stand in summary.json."""
NOTES = {
    "unanswered": "unanswered",
    "failed": "failed",
    "cut_off": "cut off at the token limit",
    "empty": "empty",
    "filtered": "filtered",
}
"""What a person should know beside the number, and in which words."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Money and tokens; None where a price is unknown or nothing was right."""

    usd: float | None = None
    usd_per_correct: float | None = None
    tokens_per_correct: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of one setting, over the tasks that were answered.

    An answer that failed for its task's own reason counts as wrong; one that the endpoint never gave is unanswered
    and counts in no number but `unanswered` and what was spent.
    """

    n: int
    """Tasks."""
    repeats: int
    """Answers to each of them."""
    correct: int
    accuracy: float | None
    """Of every task the share of its answers that are right, and of these the mean; None when nothing was answered."""
    low: float
    """With `high` the 95 % interval of `value`."""
    high: float
    failed: int
    """Answers that ended in an error of the task's own, or of this program's; they count as wrong."""
    unanswered: int = 0
    """Answers that never came for the endpoint's sake; the same command asks again."""
    unforeseen: int = 0
    """Of the failed ones, those with an error of this program that nobody foresaw."""
    cut_off: int = 0
    """Answers whose reply ended at the token limit."""
    filtered: int = 0
    """Answers that a content filter ended or refused."""
    empty: int = 0
    """Answers whose reply said nothing, or only called a tool that nobody had offered."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why answers failed or never came, each with how often, the commonest first."""
    consulted: int | None = None
    """Tasks in which the library was consulted; None where nobody has counted them."""
    benchmark: str = ""
    setting: str = ""
    model: str = ""
    mean_score: float | None = 0.0
    headline: Literal["accuracy", "mean_score"] = "accuracy"
    """Which of the two counts; "mean_score" for a benchmark whose scores are more than right and wrong."""
    pass_at: Mapping[str, float] = field(default_factory=dict)
    """By k: the share of tasks that one of k answers solves."""
    top: Mapping[str, float] = field(default_factory=dict)
    """By k: the share of tasks with a right one among the k commonest answers."""
    aggregates: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    usage_by_role: Mapping[str, Usage] = field(default_factory=dict)
    seconds: float = 0.0
    """Of all answers, added up."""
    wall_seconds: float = 0.0
    """From the first question to the last answer of the call that finished the setting."""
    cost: Cost = Cost()
    conditions: tuple[str, ...] = ()
    """What the endpoint changed of what it was asked: a parameter it refuses, a prompt it cuts."""

    @property
    def graded(self) -> bool:
        """Whether scores are more than right and wrong."""
        return self.headline == "mean_score"

    @property
    def value(self) -> float | None:
        """The number that counts, 0 to 1 (a mean score may be negative); None when nothing was answered."""
        return self.mean_score if self.graded else self.accuracy

    @property
    def answers(self) -> int:
        """Answers asked for."""
        return self.n * self.repeats

    @property
    def answered(self) -> int:
        """Answers that count: right, wrong or failed."""
        return self.answers - self.unanswered

    @property
    def consulted_of(self) -> str:
        """In how many tasks the library was consulted, "54/100"; empty for a setting that has none."""
        reads = self.consulted is not None and (self.consulted > 0 or self.setting.startswith("flex"))
        return f"{self.consulted}/{self.n}" if reads else ""

    @property
    def notes(self) -> str:
        """What a person should know beside the number: "3 of 60 unanswered, 4 of 60 cut off at the token limit"."""
        found = {words: getattr(self, name) for name, words in NOTES.items()}
        counts = ", ".join(f"{count:,} of {self.answers:,} {words}" for words, count in found.items() if count)
        return "; ".join(filter(None, (counts, *self.conditions)))

    def to_json(self) -> dict[str, Any]:
        """The content of summary.json: `pass@k` and `top-k` are keys of their own."""
        pass_at = {f"{PASS}{k}": share for k, share in self.pass_at.items()}
        top = {f"{TOP}{k}": share for k, share in self.top.items()}
        head = {name: getattr(self, name) for name in ("benchmark", "setting", "model", "n", "repeats", "correct")}
        head |= {name: getattr(self, name) for name in ("accuracy", "mean_score", "headline", "low", "high")}
        counts = {name: getattr(self, name) for name in COUNTS}
        costs = ("usage", "usage_by_role", "seconds", "wall_seconds", "cost")
        rest = ("reasons", "conditions", "aggregates", "metrics", *costs)
        return {**head, **pass_at, **top, **counts, **to_jsonable({name: getattr(self, name) for name in rest})}

    @classmethod
    def from_json(cls, numbers: Mapping[str, Any]) -> "Summary":
        """The summary that `to_json` made this of. Raises RunError when it is none."""
        shares = {
            name: {key.removeprefix(mark): value for key, value in numbers.items() if key.startswith(mark)}
            for name, mark in (("pass_at", PASS), ("top", TOP))
        }
        return decode(cls, {**numbers, **shares})


def summarize(
    rows: Sequence[Result], benchmark: Benchmark | None = None, *, setting: str = "", model: str = ""
) -> Summary:
    """The numbers of a setting's rows; without a benchmark, scores count as right and wrong.

    Of a graded benchmark the mean score is the headline, and the interval is that of the mean score.
    """
    asked = Counter(row.task_id for row in rows)
    answered: dict[str, list[Result]] = {}
    for row in rows:
        if not row.unanswered:
            answered.setdefault(row.task_id, []).append(row)
    endings = Counter(row.finish_reason for row in rows)
    graded = benchmark is not None and benchmark.graded
    correct = [[row.correct for row in repeats] for repeats in answered.values()]
    scores = [[row.score for row in repeats] for repeats in answered.values()]
    low, high = mean_interval(scores) if graded else accuracy_interval(correct)
    by_target = {repeats[0].target: mean([row.score for row in repeats]) for repeats in answered.values()}
    return Summary(
        n=len(asked),
        repeats=max(asked.values(), default=0),
        correct=sum(row.correct for row in rows),
        accuracy=mean([mean(repeats) for repeats in correct]) if correct else None,
        low=low,
        high=high,
        failed=sum(row.error is not None and not row.unanswered for row in rows),
        unanswered=sum(row.unanswered for row in rows),
        unforeseen=sum(row.unforeseen for row in rows),
        cut_off=endings["length"],
        filtered=endings["filtered"],
        empty=endings["empty"] + endings["tool_calls"],
        reasons=dict(Counter(row.reason or row.error or "" for row in rows if row.error is not None).most_common()),
        consulted=len({row.task_id for row in rows if row.consulted or row.hits}),
        benchmark=benchmark.name if benchmark else "",
        setting=setting,
        model=model,
        mean_score=mean([mean(repeats) for repeats in scores]) if scores else None,
        headline="mean_score" if graded else "accuracy",
        pass_at=pass_at(correct),
        top={} if benchmark is None or graded else top_k(list(answered.values()), benchmark),
        aggregates=dict(benchmark.aggregates(by_target)) if benchmark else {},
        metrics={
            name: mean([row.metrics.get(name, 0.0) for row in rows if not row.unanswered])
            for name in dict.fromkeys(name for row in rows for name in row.metrics)
        },
        usage=sum((row.usage for row in rows), Usage()),
        usage_by_role=summed(used for row in rows for used in row.usage_by_role.items()),
        seconds=round(sum(row.seconds for row in rows), 3),
    )


def pass_at(correct: Sequence[Sequence[bool]]) -> dict[str, float]:
    """By k: the share of tasks that one of k answers solves, over the tasks with as many answers."""
    most = max(map(len, correct), default=0)
    return {
        str(k): mean([pass_at_k(len(repeats), sum(repeats), k) for repeats in correct if len(repeats) >= k])
        for k in range(2, most + 1)
    }


def with_cost(summary: Summary, usd: float | None, wall_seconds: float) -> Summary:
    """The summary with what it cost: money, None where unknown, and time."""
    tokens, correct = summary.usage.tokens, summary.correct
    cost = Cost(usd, usd / correct if usd is not None and correct else None, tokens / correct if correct else None)
    return replace(summary, cost=cost, wall_seconds=round(wall_seconds, 1))


def top_k(tasks: Sequence[Sequence[Result]], benchmark: Benchmark) -> dict[str, float]:
    """The share of tasks with a right one among the k answers given most often; k = 1 is the majority's vote."""
    repeats = max(map(len, tasks), default=0)
    if repeats < 2:
        return {}
    ranked = []
    for rows in tasks:
        right = {row.answer for row in rows if row.correct}
        first: list[str] = []

        def key(answer: str, first: list[str] = first) -> str:
            """The first answer that the scorer takes for the same."""
            same = next((other for other in first if benchmark.accepts(benchmark.score(answer, other))), None)
            first += [] if same is not None else [answer]
            return answer if same is None else same

        ranked.append([answer in right for answer in majority([row.answer for row in rows], key)])
    ks = [k for k in (1, 3, 5, 10) if k < repeats] + [repeats]
    return {str(k): mean([any(answers[:k]) for answers in ranked]) for k in ks}


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def evaluate_retro_results_fuzzy(results_dir: str | Path) -> dict[str, float]:
    """Means of all retro metrics over a results folder: `exact` and its looser readings, `n` rows. Raises RunError."""
    rows = load_results(results_dir)
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    means = {name: mean([row.metrics.get(name, 0.0) for row in rows]) for name in names}
    return {"n": len(rows), "exact": mean([row.score for row in rows]), **means}
