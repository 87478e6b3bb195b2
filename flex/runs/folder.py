"""What a folder of `flex eval --out` holds, or one of a single setting, as the scripts write it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from flex.errors import RunError
from flex.evaluation.loop import Result
from flex.evaluation.statistics import accuracy_interval, mean_interval
from flex.files.jsonlines import JsonLines, decode
from flex.types import Retrieval, Usage

ORDER = ("vanilla", "icl", "agent", "flex-empty", "flex-shuffled", "flex-chat", "flex")
"""Of settings nobody has ordered: baselines, then controls, then what they are compared with."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of one setting, as in its summary.json."""

    n: int
    repeats: int
    correct: int
    accuracy: float
    low: float
    high: float
    failed: int
    usage: Usage = field(default_factory=Usage)
    benchmark: str = ""
    model: str = ""
    mean_score: float = 0.0
    headline: str = "accuracy"
    """Or "mean_score", of a benchmark whose scores are more than right and wrong."""
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    usd: float | None = None

    @property
    def value(self) -> float:
        """The number that counts."""
        return self.mean_score if self.headline == "mean_score" else self.accuracy


@dataclass(frozen=True, slots=True)
class Comparison:
    """Setting `a` against `b`, paired by problem: accuracy of a minus accuracy of b, with its 95 % interval."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    verdict: str
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """How an answer came about: an agent's steps, and what it read in the library."""

    steps: tuple[Mapping[str, Any], ...] = ()
    retrievals: tuple[Retrieval, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class SettingRun:
    """One setting of a run: its rows in the order of the results file, its configuration and its numbers."""

    name: str
    folder: Path
    rows: tuple[Result, ...]
    summary: Summary
    config: Mapping[str, Any]

    def trace(self, row: Result) -> Trace:
        """The raw trace of one answer; empty when there is none."""
        path = self.folder.with_name(f"{self.folder.name}_process") / f"{log_name(row)}.json"
        trace = _object(path)
        return decode(Trace, trace) if trace.get("task_id") == row.task_id else Trace()

    def by_task(self) -> dict[str, list[Result]]:
        """The repeats of each task, in order."""
        rows = sorted(self.rows, key=lambda row: (row.index, row.task_id, row.repeat))
        return {task: list(repeats) for task, repeats in groupby(rows, key=lambda row: row.task_id)}


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a report or an export is made from."""

    folder: Path
    settings: tuple[SettingRun, ...]
    comparisons: tuple[Comparison, ...]
    benchmark: str
    model: str


def log_name(row: Result) -> str:
    """The stem of the answer's log and trace: `12`, or `12_1` from the second repeat."""
    return f"{row.index}" if row.repeat == 0 else f"{row.index}_{row.repeat}"


def read_run(folder: str | Path) -> Run:
    """The run in a folder. Raises RunError when there are no results, or something in it is not what it should be."""
    folder = Path(folder)
    overall = _object(folder / "summary.json")
    if (folder / "results.jsonl").is_file():
        settings = [_setting(folder, overall)]
    else:
        numbers = decode_object(overall, "settings")
        usd = _usd(decode_object(overall, "cost"))
        settings = [
            _setting(path, {"setting": path.name, **decode_object(numbers, path.name), **usd.get(path.name, {})})
            for path in _folders(folder, numbers)
        ]
    if not settings:
        raise RunError(f"{folder} holds no results: no results.jsonl in it or in a folder of it")
    comparisons = tuple(decode(Comparison, row) for row in overall.get("comparisons") or ())
    first = settings[0].summary
    benchmark, model = (str(overall.get(key) or getattr(first, key)) for key in ("benchmark", "model"))
    return Run(folder, tuple(settings), comparisons, benchmark, model)


def decode_object(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under a key; empty when there is none."""
    inner = value.get(key)
    return dict(inner) if isinstance(inner, Mapping) else {}


def _usd(cost: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Money by setting, where it is known."""
    settings = decode_object(cost, "settings")
    return {name: {"usd": decode_object(settings, name).get("usd")} for name in settings}


def _folders(folder: Path, known: Mapping[str, Any]) -> list[Path]:
    """The folders of settings, in the order of summary.json, or of ORDER."""
    found = [path.parent for path in folder.glob("*/results.jsonl")]
    order: Sequence[str] = [*known, *ORDER]
    return sorted(found, key=lambda path: (order.index(path.name) if path.name in order else len(order), path.name))


def _setting(folder: Path, numbers: Mapping[str, Any]) -> SettingRun:
    lines = [_row(row) for row in JsonLines(folder / "results.jsonl")]
    rows = tuple(decode(Result, row) for row in {(row["task_id"], row["repeat"]): row for row in lines}.values())
    config = _object(folder / "config.json")
    if "accuracy" not in numbers:
        numbers = {**_counted(rows, config), **numbers, **_object(folder / "summary.json")}
    name = str(numbers.get("setting") or (rows[0].setting if rows else folder.name))
    return SettingRun(name, folder, rows, decode(Summary, numbers), config)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    if missing := [key for key in ("task_id", "repeat") if key not in row]:
        raise RunError(f"a row of results.jsonl has no '{missing[0]}'")
    return row


def _counted(rows: Sequence[Result], config: Mapping[str, Any]) -> dict[str, Any]:
    """What summary.json would say, for a run that was stopped before it was written."""
    correct: dict[str, list[bool]] = {}
    for row in rows:
        correct.setdefault(row.task_id, []).append(row.correct)
    graded = any(row.score not in (0.0, 1.0) for row in rows)
    low, high = mean_interval(_scores(rows)) if graded else accuracy_interval(list(correct.values()))
    n = max(1, len(rows))
    models = config.get("models")
    return {
        "benchmark": str(config.get("benchmark") or ""),
        "model": str(models.get("actor", "")) if isinstance(models, Mapping) else "",
        "n": len(correct),
        "repeats": max(map(len, correct.values()), default=0),
        "correct": sum(row.correct for row in rows),
        "accuracy": sum(row.correct for row in rows) / n,
        "mean_score": sum(row.score for row in rows) / n,
        "headline": "mean_score" if graded else "accuracy",
        "low": low,
        "high": high,
        "failed": sum(row.error is not None for row in rows),
        "usage": sum((row.usage for row in rows), Usage()),
        "seconds": sum(row.seconds for row in rows),
    }


def _scores(rows: Sequence[Result]) -> list[list[float]]:
    """The scores of each task's repeats."""
    scores: dict[str, list[float]] = {}
    for row in rows:
        scores.setdefault(row.task_id, []).append(row.score)
    return list(scores.values())


def _object(path: Path) -> dict[str, Any]:
    """A JSON object of a file, empty when there is no file. Raises RunError."""
    try:
        value = json.loads(path.read_bytes()) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} holds no object")
    return value
