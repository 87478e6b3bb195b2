"""How accuracy follows the library's growth (paper, figure 4; `flex scaling-law`)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from flex.evaluation.folder import SettingRun
from flex.evaluation.statistics import wilson
from flex.evaluation.summary import mean
from flex.experiments.config import ScalingLaw
from flex.experiments.measured import first_attempts, judged_together, numbers, percent, points, unit
from flex.experiments.pictures import Table
from flex.experiments.pictures.scaling import scaling_picture
from flex.experiments.power_law import fit_power_law
from flex.experiments.published import SCALING, SCALING_BASELINE, SCALING_WHAT
from flex.experiments.steps import Findings, Steps
from flex.explib import ExpLib


async def scaling_law(run: ScalingLaw, steps: Steps) -> Findings:
    """Measure without a library, then after every epoch; the library goes on from epoch to epoch."""
    steps.start("scaling law", {"actor": run.model}, early=run.early)
    baseline = await steps.answer(steps.out / "no-library", "agent", run.model)
    steps.say(f"no library: {percent(numbers(baseline.summary))}")
    rows: list[dict[str, Any]] = []
    latest, before = baseline, None
    for epoch in range(1, run.epochs + 1):
        folder = steps.out / f"epoch-{epoch}"
        library = await steps.learn(folder, run.model, use_library=True, library=before)
        before = folder / "library.json"
        for count in early_counts(run, steps) if epoch == 1 else ():
            part = folder / f"after-{count}"
            kept = library_after(library, {task.id for task in steps.train_tasks[:count]}, part / "library.json")
            tested = await steps.answer(part, "flex", run.model, part / "library.json")
            rows.append(row_of(0, count, kept, tested, baseline, None))
            steps.say(line_of(rows[-1]))
        latest = await steps.answer(folder / "test", "flex", run.model, before)
        right, solved = first_attempts(folder, steps.train_tasks, steps.benchmark.accepts)
        trained = (right, solved, len(steps.train_tasks))
        rows.append(row_of(epoch, epoch * len(steps.train_tasks), library, latest, baseline, trained))
        steps.say(line_of(rows[-1]))
    return finish(run, steps, rows, baseline, latest)


def early_counts(run: ScalingLaw, steps: Steps) -> list[int]:
    """After how many tasks of the first epoch to measure: a half of it, a quarter, and so on."""
    tasks = len(steps.train_tasks)
    return sorted({tasks >> halving for halving in range(1, run.early + 1)} - {0})


def library_after(library: ExpLib, tasks: set[str], path: Path) -> ExpLib:
    """The library as it was when only these tasks had been learned from, saved as a file of its own."""
    if path.exists():
        return ExpLib(path)
    numbers = [change.number for change in library.history() if tasks.issuperset(change.source.get("tasks") or ())]
    earlier = ExpLib(library.path)
    earlier.rollback(max(numbers, default=0))
    earlier.save(path)
    return ExpLib(path)


def row_of(
    epoch: int,
    tasks: int,
    library: ExpLib,
    tested: SettingRun,
    baseline: SettingRun,
    trained: tuple[int, int, int] | None,
) -> dict[str, Any]:
    """One point of the curve; epoch 0 stands for within the first one."""
    train = None
    if trained:
        right, solved, n = trained
        low, high = wilson(right, n)
        shown = {name: round(100 * x, 4) for name, x in (("percent", right / n), ("low", low), ("high", high))}
        train = {**shown, "n": n, "correct": right, "solved": solved}
    return {
        "epoch": epoch or None,
        "tasks": tasks,
        "library": len(library),
        "zones": library.stats()["zones"],
        "train": train,
        "test": numbers(tested.summary),
        "difference_to_no_library": tested.minus(baseline),
        "outcomes": [mean(scores) for _, scores in sorted(tested.scores().items())],
    }


def line_of(row: Mapping[str, Any]) -> str:
    where = f"epoch {row['epoch']}" if row["epoch"] else f"after {row['tasks']} tasks"
    return f"{where}: library {row['library']}, test {percent(row['test'])}"


def finish(
    run: ScalingLaw, steps: Steps, rows: list[dict[str, Any]], baseline: SettingRun, latest: SettingRun
) -> Findings:
    against = judged_together(row["difference_to_no_library"] for row in rows)
    rows = [row | {"difference_to_no_library": d} for row, d in zip(rows, against, strict=True)]
    law = fit_power_law([row["library"] for row in rows], [row.pop("outcomes") for row in rows])
    result: dict[str, Any] = {
        "experiment": "scaling law",
        "benchmark": run.benchmark,
        "model": run.model,
        "unit": unit(latest.summary),
        "tasks_per_epoch": len(steps.train_tasks),
        "baseline": numbers(baseline.summary),
        "points": rows,
        "law": asdict(law),
    }
    last = rows[-1]
    headline = (
        f"From {result['baseline']['percent']:.1f} without a library to {last['test']['percent']:.1f} with "
        f"{last['library']} entries after {last['tasks']} explorations ({unit(latest.summary)})"
    )
    remark = (
        f"Test: setting flex on {baseline.summary.n} tasks, 95 % intervals; differences are paired by task. Train: "
        "the first attempts of the epoch's exploration, before any feedback, with the library as it was when the "
        "batch began."
    )
    tables = [Table("Measured here", *table_of(rows)), published_table()]
    return replace(steps.finish(result, scaling_picture, headline, remark, tables), remarks=[law.words])


def table_of(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    counts = ["epoch", "tasks", "library", "golden", "warning"]
    return [*counts, "train, first try, %", "test, %", "points over no library"], [
        [
            str(row["epoch"] or "within 1"),
            *(str(row[name]) for name in ("tasks", "library")),
            *(str(row["zones"].get(zone, 0)) for zone in ("golden", "warning")),
            percent(row["train"]) if row["train"] else "-",
            percent(row["test"]),
            points(row["difference_to_no_library"]),
        ]
        for row in rows
    ]


def published_table() -> Table:
    rows = [[str(e.epoch), str(e.library), f"{e.train:.1f}", f"{e.test:.1f}"] for e in SCALING]
    heads = ["epoch", "library", "train, %", "test, %"]
    return Table(
        f"Published, not measured here: {SCALING_WHAT}", heads, [["none", "0", "-", f"{SCALING_BASELINE:.1f}"], *rows]
    )
