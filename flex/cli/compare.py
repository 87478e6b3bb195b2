"""`flex compare`: runs made at different times side by side, if they are of the same tasks, scorer and prompts."""

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from flex.cli.options import Parser, run_command
from flex.errors import RunError, SettingsError
from flex.files.paths import existing

MAIN = "flex"
"""The setting everything else is held against."""
SAME = {"benchmark": "benchmarks", "scorer": "scorers", "tasks": "tasks"}
"""What has to be equal in two runs' configurations, and what it is called."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex compare", "Compare runs with paired differences; each RUN is a folder of results.")
    parser.add_argument("runs", nargs="+", metavar="RUN", type=Path, help="a setting's folder, or one of `flex eval`")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse(argv)
    return run_command(lambda: compare_command(options))


async def compare_command(options: argparse.Namespace) -> int:
    folders = named_folders(options.runs)
    if len(folders) < 2:
        raise SettingsError("there is nothing to compare: give two runs, or a run with two settings")
    summary = {"settings": {n: read_json(f / "summary.json") for n, f in folders.items()}}
    summary["comparisons"] = comparisons(folders)  # type: ignore[assignment]
    print(json.dumps(summary["comparisons"], indent=2) if options.json else "\n".join(results_table(summary)))
    return 0


def named_folders(runs: Sequence[Path]) -> dict[str, Path]:
    """The folders that hold results, by setting; where a name comes twice, by path. Raises SettingsError."""
    found = []
    for run in runs:
        existing(run, "the run")
        folders = [run] if (run / "results.jsonl").exists() else sorted(p.parent for p in run.glob("*/results.jsonl"))
        if not folders:
            raise SettingsError(f"{run} holds no results.jsonl, nor does a folder in it")
        found += folders
    names = [str(read_json(folder / "config.json").get("setting", folder.name)) for folder in found]
    return {name if names.count(name) == 1 else str(folder): folder for name, folder in zip(names, found, strict=True)}


def comparisons(folders: Mapping[str, Path]) -> list[dict[str, Any]]:
    """The paired difference of every two settings, `flex` minus the others first.

    Raises RunError when two runs do not compare.
    """
    from flex.evaluation.statistics import paired_difference

    configs = {name: read_json(folder / "config.json") for name, folder in folders.items()}
    scores = {name: scores_by_task(summarized_rows(folder)) for name, folder in folders.items()}
    rows = []
    for a, b in combinations(sorted(folders, key=lambda name: name != MAIN), 2):
        check_comparable(a, configs[a], b, configs[b])
        tasks = list(scores[b])
        if set(tasks) != set(scores[a]):
            raise RunError(f"{a} and {b} cannot be compared: one of them has not answered every task")
        difference = paired_difference([scores[a][task] for task in tasks], [scores[b][task] for task in tasks])
        rows.append({"a": a, "b": b, "difference": difference.difference, "low": difference.low,
                     "high": difference.high, "p": difference.p, "verdict": difference.verdict})  # fmt: skip
    return rows


def summarized_rows(folder: Path) -> list[Any]:
    """The rows that the folder's summary is about. Raises RunError when some of them are missing."""
    from flex.evaluation.loop import load_results

    summary = read_json(folder / "summary.json")
    rows = [row for row in load_results(folder) if row.repeat < summary.get("repeats", 1)]
    if len(rows) != summary.get("n", 0) * summary.get("repeats", 1):
        raise RunError(f"{folder} is unfinished; the command that made it goes on from here")
    return rows


def scores_by_task(results: Sequence[Any]) -> dict[str, list[float]]:
    """The repeats' outcomes of each task: right or wrong where that is what the benchmark counts, else its score."""
    by_task: dict[str, list[float]] = {}
    graded = any(result.score not in (0.0, 1.0) for result in results)
    for result in results:
        by_task.setdefault(result.task_id, []).append(result.score if graded else float(result.correct))
    return by_task


def check_comparable(a: str, one: Mapping[str, Any], b: str, other: Mapping[str, Any]) -> None:
    """Raises RunError saying why two runs do not compare."""
    for key, words in SAME.items():
        if one.get(key) != other.get(key):
            raise RunError(f"{a} and {b} cannot be compared: their {words} differ ({one.get(key)}, {other.get(key)})")
    ours, theirs = one.get("prompts") or {}, other.get("prompts") or {}
    if changed := sorted(name for name in ours if name in theirs and ours[name] != theirs[name]):
        raise RunError(f"{a} and {b} cannot be compared: their prompt '{changed[0]}' differs")


def results_table(summary: Mapping[str, Any]) -> list[str]:
    """Settings with intervals, then the paired differences with their verdicts."""
    heads = f"{'correct':>9}{'failed':>8}{'calls':>8}{'tokens':>11}{'seconds':>9}"
    graded = any(s.get("headline") == "mean_score" for s in summary["settings"].values())
    lines = [f"{'setting':<16}{'score' if graded else 'accuracy':>9}  {'95 % interval':>15}{heads}"]
    for name, s in summary["settings"].items():
        interval = f"{100 * s['low']:.1f} to {100 * s['high']:.1f}"
        tokens = s["usage"]["prompt_tokens"] + s["usage"]["completion_tokens"]
        right = f"{s['correct']}/{s['n'] * s['repeats']}"
        spent = f"{s['usage']['calls']:>8}{tokens:>11}{s['wall_seconds']:>9.1f}"
        shown = f"{100 * s['mean_score']:>9.1f}" if graded else f"{100 * s['accuracy']:>7.1f} %"
        lines.append(f"{name:<16}{shown}  {interval:>15}{right:>9}{s['failed']:>8}{spent}")
    lines += ["", f"{'difference in points':<32}{'':>6}  {'95 % interval':>16}{'p':>8}  verdict"]
    for c in summary["comparisons"]:
        interval = f"{100 * c['low']:+.1f} to {100 * c['high']:+.1f}"
        pair = f"{c['a']} - {c['b']}"
        lines.append(f"{pair:<32}{100 * c['difference']:>+6.1f}  {interval:>16}{p_value(c['p']):>8}  {c['verdict']}")
    return lines


def p_value(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def read_json(path: Path) -> dict[str, Any]:
    """A run's file. Raises RunError when it is missing or broken."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} is not what a run writes")
    return value
