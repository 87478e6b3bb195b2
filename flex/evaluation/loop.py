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
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flex.benchmarks.base import Benchmark
from flex.concurrency import Stop, in_order
from flex.endpoint.kept_replies import sample
from flex.endpoint.usage import track_usage
from flex.errors import Setback, Unusable
from flex.evaluation.results import Result, result_of, write_logs
from flex.evaluation.settings import Setting, Solve
from flex.files.atomic import json_bytes, write_atomically
from flex.files.jsonlines import JsonLines, to_jsonable
from flex.telemetry import span
from flex.types import Attempt, Task

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
    `stop` was heard. Raises Unusable, once what was under way has ended and every row is kept, when no task is to
    blame and none can be answered; those it came up in stay unanswered.
    """
    jobs = [(task, repeat) for task in tasks for repeat in range(config.repeats)]
    with JsonLines(folder / "results.jsonl") as lines:
        known = {(row.task_id, row.repeat): row for row in lines.read(result_of)}
        rows = {key: row for key, row in known.items() if not row.error}
        ended: Unusable | None = None
        for row in rows.values():
            on_result(row)

        async def work(job: tuple[Task, int]) -> None:
            nonlocal ended
            if ended or (stop and stop.reason):
                return
            row, why = await _answered(*job, benchmark, solve, config, folder)
            ended = ended or why
            if row is None or (why and stop and stop.reason):  # a task that was interrupted is begun again
                return
            lines.append(to_jsonable(row))
            rows[row.task_id, row.repeat] = row
            on_result(row)

        unanswered = [(task, repeat) for task, repeat in jobs if (task.id, repeat) not in rows]
        size = config.batch_size if config.batch_pause else max(1, len(unanswered))
        for start in range(0, len(unanswered), size):
            if ended or (stop and stop.reason):
                break
            await asyncio.sleep(config.batch_pause if start else 0)
            async for _ in in_order(unanswered[start : start + size], work, config.concurrency):
                pass
    ordered = [rows.pop(job) for task, repeat in jobs if (job := (task.id, repeat)) in rows]
    # With fewer repeats than last time, or when stopped before a failed answer was retried, the others stay.
    done = {(row.task_id, row.repeat) for row in ordered}
    kept = [*ordered, *(row for key, row in (known | rows).items() if key not in done)]
    if kept or not ended:
        write_atomically(folder / "results.jsonl", b"".join(json_bytes(to_jsonable(row)) + b"\n" for row in kept))
    if ended and not (stop and stop.reason):
        raise ended
    return ordered


async def _answered(
    task: Task, repeat: int, benchmark: Benchmark, solve: Solve, config: EvalConfig, folder: Path
) -> tuple[Result | None, Unusable | None]:
    """The row of an answer, none where nothing came of it nor was paid for; and why there will be no others."""
    started, target, attempt, setback = time.monotonic(), task.target or "", None, None
    graded: dict[str, Any] = {"score": 0.0, "correct": False}
    with track_usage() as spent, span(f"task {task.id}", repeat=repeat), sample(task.id, repeat):
        try:
            attempt = await solve(task)
            graded = grade(attempt.answer, target, benchmark)
        except Exception as error:  # a task is a bulkhead, see flex/errors.py
            setback = Setback.of(error)
            if not setback.ends_run:
                log.warning("task %s, repeat %d failed: %s", task.id, repeat, setback.traceback or setback)
    if setback and setback.ends_run and not spent.total.tokens:
        return None, setback.ends_run
    found = attempt or Attempt("", finish_reason="filtered" if setback and setback.filtered else "error")
    result = Result(
        task_id=task.id,
        index=task.index,
        repeat=repeat,
        question=task.question,
        target=target,
        answer=found.answer,
        error=None if setback is None else str(setback),
        setting=config.setting.name,
        seconds=round(time.monotonic() - started, 3),
        usage=spent.total,
        usage_by_role=spent.by_role,
        hits=tuple(dict.fromkeys(hit.experience_id for r in found.retrievals for hit in r.hits)),
        hidden=tuple(sorted(config.hidden.get(task.id, ()))),
        reply=found.text,
        finish_reason=found.finish_reason,
        unanswered=setback is not None and setback.unanswered,
        unforeseen=setback is not None and setback.unforeseen,
        reason="" if setback is None else setback.reason,
        consulted=len(found.retrievals) if config.setting.library != "none" else 0,
        **graded,
    )
    write_logs(folder, result, found, setback.traceback if setback else "")
    return result, setback.ends_run if setback else None


def grade(answer: str | None, target: str, benchmark: Benchmark) -> dict[str, Any]:
    """What of a row the benchmark says."""
    score = benchmark.score(answer, target)
    return {
        "score": score,
        "correct": benchmark.correct(score, answer, target),
        "metrics": dict(benchmark.metrics(answer, target)),
        "points": tuple(benchmark.points(answer, target)),
    }
