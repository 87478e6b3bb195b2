"""The test loop: a setting answers every task of a split, k times; every answer is a row, every row is kept.

results_dir/config.json     what makes this run this run; another run may not write here
results_dir/results.jsonl   one row per task and repeat, as `Result`
results_dir/<idx>.txt       question, reply and score of one task, to read (`<idx>_<repeat>.txt` from the second repeat)
results_dir/summary.json    the numbers
results_dir_process/        the agents' raw traces
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flex.benchmarks.base import Benchmark
from flex.concurrency import Stop, in_order
from flex.endpoint.usage import track_usage
from flex.errors import EndpointError, ParseError
from flex.evaluation.settings import Setting, Solve
from flex.evaluation.statistics import accuracy_interval, majority, mean_interval, pass_at_k
from flex.files.atomic import json_bytes, write_atomically, write_json
from flex.files.runlog import JsonLines, decode, to_jsonable
from flex.telemetry import span
from flex.types import Attempt, Task, Usage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvalConfig:
    """How to run a setting; a `batch_pause` (seconds) makes it wait for each batch to end."""

    setting: Setting
    repeats: int = 1
    concurrency: int = 10
    batch_size: int = 10
    """Answers between pauses; without a pause there are no batches."""
    batch_pause: float = 0.0
    hidden: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By task, the experiences that the leakage guard hides; recorded in the rows."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row of results.jsonl; an `error` is the endpoint's and counts as wrong."""

    task_id: str
    index: int
    repeat: int
    question: str
    target: str
    answer: str | None
    score: float
    correct: bool
    error: str | None
    setting: str
    seconds: float
    usage: Usage
    usage_by_role: Mapping[str, Usage] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    hits: tuple[str, ...] = ()
    """Ids of the experiences that were retrieved, in order of first use."""
    hidden: tuple[str, ...] = ()
    """Ids of the experiences that the leakage guard hid from this task."""
    reply: str = ""
    points: tuple[tuple[float, float], ...] = ()
    """Prediction and measurement of items, where the answer predicts many."""


async def evaluate(
    tasks: Sequence[Task],
    benchmark: Benchmark,
    solve: Solve,
    config: EvalConfig,
    folder: Path,
    on_result: Callable[[Result], None] = lambda _: None,
    stop: Stop | None = None,
) -> list[Result]:
    """Answer every task `repeats` times; rows that the folder holds already are not paid for again, failed ones are.

    Rows come back, and stand in results.jsonl at the end, in the order of tasks and repeats; all of them, unless
    `stop` was heard.
    """
    jobs = [(task, repeat) for task in tasks for repeat in range(config.repeats)]
    with JsonLines(folder / "results.jsonl") as lines:
        known = {(row.task_id, row.repeat): row for row in _rows(lines)}
        rows = {key: row for key, row in known.items() if not row.error}
        for row in rows.values():
            on_result(row)

        async def work(job: tuple[Task, int]) -> None:
            if stop and stop.reason:
                return
            row = await _answered(*job, benchmark, solve, config, folder)
            lines.append(to_jsonable(row))
            rows[row.task_id, row.repeat] = row
            on_result(row)

        unanswered = [(task, repeat) for task, repeat in jobs if (task.id, repeat) not in rows]
        size = config.batch_size if config.batch_pause else max(1, len(unanswered))
        for start in range(0, len(unanswered), size):
            if stop and stop.reason:
                break
            await asyncio.sleep(config.batch_pause if start else 0)
            async for _ in in_order(unanswered[start : start + size], work, config.concurrency):
                pass
    ordered = [rows.pop(job) for task, repeat in jobs if (job := (task.id, repeat)) in rows]
    # With fewer repeats than last time, or when stopped before a failed answer was retried, the others stay.
    done = {(row.task_id, row.repeat) for row in ordered}
    kept = [*ordered, *(row for key, row in (known | rows).items() if key not in done)]
    write_atomically(folder / "results.jsonl", b"".join(json_bytes(to_jsonable(row)) + b"\n" for row in kept))
    return ordered


def load_results(folder: str | Path) -> list[Result]:
    """The rows of a results folder, the last one for each task and repeat. Raises RunError."""
    lines = JsonLines(Path(folder) / "results.jsonl")
    return list({(row.task_id, row.repeat): row for row in _rows(lines)}.values())


def _rows(lines: JsonLines) -> Iterator[Result]:
    return (decode(Result, row) for row in lines)


async def _answered(
    task: Task, repeat: int, benchmark: Benchmark, solve: Solve, config: EvalConfig, folder: Path
) -> Result:
    started, error, attempt = time.monotonic(), None, Attempt("")
    with track_usage() as spent, span(f"task {task.id}", repeat=repeat):
        try:
            attempt = await solve(task)
        except (EndpointError, ParseError) as failure:
            log.warning("task %s, repeat %d failed: %s", task.id, repeat, failure)
            error = str(failure)
    target = task.target or ""
    score = 0.0 if error else benchmark.score(attempt.answer, target)
    result = Result(
        task_id=task.id,
        index=task.index,
        repeat=repeat,
        question=task.question,
        target=target,
        answer=attempt.answer,
        score=score,
        correct=error is None and benchmark.correct(score, attempt.answer, target),
        error=error,
        setting=config.setting.name,
        seconds=round(time.monotonic() - started, 3),
        usage=spent.total,
        usage_by_role=spent.by_role,
        metrics=dict(benchmark.metrics(attempt.answer, target)),
        hits=tuple(dict.fromkeys(hit.experience_id for r in attempt.retrievals for hit in r.hits)),
        hidden=tuple(sorted(config.hidden.get(task.id, ()))),
        reply=attempt.text,
        points=tuple(benchmark.points(attempt.answer, target)),
    )
    _write_logs(folder, result, attempt)
    return result


def _write_logs(folder: Path, result: Result, attempt: Attempt) -> None:
    """The two files of one answer for people: what was asked and said, and how it came about."""
    name = f"{result.index}" if result.repeat == 0 else f"{result.index}_{result.repeat}"
    parts = {
        "Question": result.question,
        "Reply": result.error or attempt.text,
        "Answer": str(result.answer),
        "Target": result.target,
        "Score": f"{result.score:g} ({'failed' if result.error else 'correct' if result.correct else 'wrong'})",
    }
    text = "\n\n".join(f"## {title}\n{content}" for title, content in parts.items())
    (folder / f"{name}.txt").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    if attempt.steps or attempt.retrievals or attempt.reasoning:
        process = folder.with_name(f"{folder.name}_process")
        process.mkdir(exist_ok=True)
        trace = {
            "task_id": result.task_id,
            "steps": attempt.steps,
            "retrievals": attempt.retrievals,
            "reasoning": attempt.reasoning,
        }
        (process / f"{name}.json").write_bytes(json_bytes(to_jsonable(trace), indent=1))


def summarize(results: Sequence[Result], benchmark: Benchmark, setting: Setting, model: str) -> dict[str, Any]:
    """The content of summary.json: accuracy over all rows with its 95 % interval; failed rows count as wrong.

    Of a graded benchmark `mean_score` is the headline, and the interval is its.
    """
    by_task: dict[str, list[Result]] = {}
    for result in results:
        by_task.setdefault(result.task_id, []).append(result)
    correct = [[row.correct for row in rows] for rows in by_task.values()]
    scores = [[row.score for row in rows] for rows in by_task.values()]
    low, high = mean_interval(scores) if benchmark.graded else accuracy_interval(correct)
    roles: dict[str, Usage] = {}
    for role, usage in ((role, usage) for row in results for role, usage in row.usage_by_role.items()):
        roles[role] = roles.get(role, Usage()) + usage
    repeats = max(len(row) for row in correct)
    metrics = results[0].metrics if results else {}
    return {
        "benchmark": benchmark.name,
        "setting": setting.name,
        "model": model,
        "n": len(by_task),
        "repeats": repeats,
        "correct": sum(row.correct for row in results),
        "accuracy": _mean([row.correct for row in results]),
        "mean_score": _mean([row.score for row in results]),
        "headline": "mean_score" if benchmark.graded else "accuracy",
        "low": low,
        "high": high,
        **{f"pass@{k}": _mean([pass_at_k(len(r), sum(r), k) for r in correct]) for k in range(2, repeats + 1)},
        **({} if benchmark.graded else top_k(list(by_task.values()), benchmark, repeats)),
        "aggregates": dict(benchmark.aggregates(mean_scores(by_task.values()))),
        "metrics": {name: _mean([row.metrics.get(name, 0.0) for row in results]) for name in metrics},
        "failed": sum(row.error is not None for row in results),
        "usage": to_jsonable(sum(roles.values(), Usage())),
        "usage_by_role": to_jsonable(roles),
        "seconds": round(sum(row.seconds for row in results), 3),
    }


def top_k(tasks: Sequence[Sequence[Result]], benchmark: Benchmark, repeats: int) -> dict[str, float]:
    """The share of tasks with a right one among the k answers given most often; k = 1 is the majority's vote."""
    if repeats < 2:
        return {}
    ranked = []
    for rows in tasks:
        right = {row.answer for row in rows if row.correct}
        first: list[str] = []

        def key(answer: str, first: list[str] = first) -> str:
            """The first answer that the scorer takes for the same."""
            twin = next((other for other in first if benchmark.accepts(benchmark.score(answer, other))), None)
            first += [] if twin is not None else [answer]
            return answer if twin is None else twin

        ranked.append([answer in right for answer in majority([row.answer for row in rows], key)])
    ks = [k for k in (1, 3, 5, 10) if k < repeats] + [repeats]
    return {f"top-{k}": _mean([any(answers[:k]) for answers in ranked]) for k in ks}


def mean_scores(tasks: Iterable[Sequence[Result]]) -> dict[str, float]:
    """By target, the mean score of its repeats."""
    return {rows[0].target: _mean([row.score for row in rows]) for rows in tasks}


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    write_json(folder / "summary.json", summary)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def evaluate_retro_results_fuzzy(results_dir: str | Path) -> dict[str, float]:
    """Means of all retro metrics over a results folder: `exact` and its looser readings, `n` rows. Raises RunError."""
    results = load_results(results_dir)
    names = dict.fromkeys(name for row in results for name in row.metrics)
    means = {name: _mean([row.metrics.get(name, 0.0) for row in results]) for name in names}
    return {"n": len(results), "exact": _mean([row.score for row in results]), **means}
