"""What a folder of `flex eval --out` holds, or one of a single setting, as the scripts write it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from flex.benchmarks import benchmark_names, get_benchmark
from flex.errors import RunError, SettingsError
from flex.evaluation.results import Result, load_results
from flex.evaluation.statistics import MARGIN, Difference, paired_difference
from flex.evaluation.summary import Cost, Summary, summarize
from flex.files.jsonlines import decode, strict_json
from flex.files.paths import existing
from flex.types import Attempt

T = TypeVar("T")
ORDER = ("vanilla", "icl", "agent", "flex-empty", "flex-shuffled", "flex-chat", "flex")
"""Of settings nobody has ordered: baselines, then controls, then what they are compared with."""


@dataclass(frozen=True, slots=True)
class SettingRun:
    """One setting of a run: its rows in the order of the results file, its configuration and its numbers."""

    name: str
    folder: Path
    rows: tuple[Result, ...]
    summary: Summary
    config: Mapping[str, Any]

    def trace(self, row: Result) -> Attempt:
        """How an answer came about: an agent's steps, what it read, its reasoning; empty when there is no trace."""
        path = self.folder.with_name(f"{self.folder.name}_process") / f"{row.log_name}.json"
        trace = read_json(path)
        if trace.get("task_id") != row.task_id:
            return Attempt(row.reply)
        return _in(path, lambda: decode(Attempt, {**trace, "text": row.reply}))

    def by_task(self) -> dict[str, list[Result]]:
        """The repeats of each task, in order."""
        rows = sorted(self.rows, key=lambda row: (row.index, row.task_id, row.repeat))
        return {task: list(repeats) for task, repeats in groupby(rows, key=lambda row: row.task_id)}

    def scores(self) -> dict[str, list[float]]:
        """The outcomes of each task's repeats that the summary is about: scores, or 1 for right and 0 for wrong.

        Of a task that stayed unanswered there are none. Raises RunError when rows are missing.
        """
        rows = [row for row in self.rows if row.repeat < self.summary.repeats]
        if len(rows) != self.summary.answers:
            raise RunError(f"{self.folder} is unfinished; the command that made it goes on from here")
        scores: dict[str, list[float]] = {}
        for row in rows:
            outcomes = scores.setdefault(row.task_id, [])
            if not row.unanswered:
                outcomes.append(row.score if self.summary.graded else float(row.correct))
        return scores

    def unanswered(self) -> set[tuple[str, int]]:
        """The tasks and repeats that have no answer."""
        return {(row.task_id, row.repeat) for row in self.rows if row.unanswered}

    def minus(self, other: "SettingRun", margin: float = MARGIN) -> Difference:
        """The paired difference to another setting over the tasks that both answered, as if it were the only one.

        `margin` is what "no worse" may lose. Raises RunError when the tasks are others.
        """
        ours, theirs = self.scores(), other.scores()
        if set(ours) != set(theirs):
            raise RunError(f"{self.name} and {other.name} cannot be compared: one of them has not answered every task")
        both = [task for task in theirs if ours[task] and theirs[task]]
        difference = Difference(0.0, -1.0, 1.0, 1.0, "no task was answered in both")
        if both:
            scores = [ours[task] for task in both], [theirs[task] for task in both]
            difference = paired_difference(*scores, margin=margin)
        repeats = max(self.summary.repeats, other.summary.repeats)
        missing = {(task, repeat) for task, repeat in self.unanswered() | other.unanswered() if repeat < repeats}
        return replace(
            difference, a=self.name, b=other.name, pairs=len(ours) * repeats, unanswered=len(missing), margin=margin
        )


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a report or an export is made from."""

    folder: Path
    settings: tuple[SettingRun, ...]
    comparisons: tuple[Difference, ...]
    benchmark: str
    model: str


def read_run(folder: str | Path) -> Run:
    """The run in a folder. Raises RunError when there are no results, or something in it is not what it should be."""
    folder = Path(folder)
    overall = read_json(folder / "summary.json")
    if (folder / "results.jsonl").is_file():
        settings = [read_setting(folder)]
    else:
        numbers, costs = _object(overall, "settings"), _object(_object(overall, "cost"), "settings")
        settings = [
            read_setting(path, _object(numbers, path.name), _object(costs, path.name))
            for path in in_order(folder, numbers)
        ]
    if not settings:
        raise RunError(f"{folder} holds no results: no results.jsonl in it or in a folder of it")
    listed = overall.get("comparisons") or ()
    comparisons = _in(folder / "summary.json", lambda: [decode(Difference, row) for row in listed])
    first = settings[0].summary
    benchmark, model = (str(overall.get(key) or getattr(first, key)) for key in ("benchmark", "model"))
    return Run(folder, tuple(settings), tuple(comparisons), benchmark, model)


def in_order(run: Path, numbers: Mapping[str, Any]) -> list[Path]:
    """The folders of a run's settings, in the order of its summary's `settings`, others behind them."""
    order = [*numbers, *ORDER]
    found = [path.parent for path in run.glob("*/results.jsonl")]
    return sorted(found, key=lambda path: (order.index(path.name) if path.name in order else len(order), path.name))


def read_setting(
    folder: Path, numbers: Mapping[str, Any] | None = None, cost: Mapping[str, Any] | None = None
) -> SettingRun:
    """The setting in a folder: its numbers as they are given, else of its summary.json, else counted from its rows."""
    rows = tuple(load_results(folder))
    config = read_json(folder / "config.json")
    for key, kind in (("benchmark", str), ("setting", str), ("models", dict)):
        if not isinstance(config.get(key, kind()), kind):
            raise RunError(f"{folder / 'config.json'}: {key} {config[key]!r} is nothing that a run writes")
    numbers = numbers or read_json(folder / "summary.json")
    place = folder / "summary.json"
    given = "accuracy" in numbers
    summary = _in(place, lambda: Summary.from_json(numbers)) if given else _counted(rows, config)
    if cost and summary.cost == Cost():
        summary = replace(summary, cost=_in(place, lambda: decode(Cost, cost)))
    name = summary.setting or str(config.get("setting") or (rows[0].setting if rows else folder.name))
    return SettingRun(name, folder, rows, summary, config)


def _counted(rows: Sequence[Result], config: Mapping[str, Any]) -> Summary:
    """What summary.json would say, for a run that was stopped before it was written."""
    benchmark, models = str(config.get("benchmark") or ""), _object(config, "models")
    known = get_benchmark(benchmark) if benchmark in benchmark_names() else None
    summary = summarize(rows, known, setting=str(config.get("setting") or ""), model=str(models.get("actor", "")))
    return replace(summary, benchmark=benchmark)


def named_settings(runs: Sequence[Path]) -> dict[str, SettingRun]:
    """The settings in folders of results, by name; where a name comes twice, by path. Raises SettingsError."""
    found: list[SettingRun] = []
    for run in runs:
        existing(run, "the run")
        numbers = _object(read_json(run / "summary.json"), "settings")
        folders = [run] if (run / "results.jsonl").exists() else in_order(run, numbers)
        if not folders:
            raise SettingsError(f"{run} holds no results.jsonl, nor does a folder in it")
        if unfinished := [folder for folder in folders if not (folder / "summary.json").exists()]:
            raise RunError(f"{unfinished[0]} is unfinished; the command that made it goes on from here")
        found += [read_setting(folder) for folder in folders]
    names = [str(setting.config.get("setting", setting.folder.name)) for setting in found]
    keys = [name if names.count(name) == 1 else str(s.folder) for name, s in zip(names, found, strict=True)]
    return {key: replace(setting, name=key) for key, setting in zip(keys, found, strict=True)}


def read_json(path: Path) -> dict[str, Any]:
    """A run's file; empty where there is none. Raises RunError when it is broken."""
    if not path.exists():
        return {}
    try:
        value = strict_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} is not what a run writes")
    return value


def _in(path: Path, read: Callable[[], T]) -> T:
    """What was read out of a file. Raises RunError naming the file where it is nothing that a run writes."""
    try:
        return read()
    except (RunError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: {error}") from error


def _object(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under a key; empty when there is none."""
    inner = value.get(key)
    return dict(inner) if isinstance(inner, Mapping) else {}
