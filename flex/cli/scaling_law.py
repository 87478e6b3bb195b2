"""`flex scaling-law` and `scripts/scaling_law.py`: how accuracy follows the library's growth (paper, figure 4)."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.cli.experiments import Steps, add_experiment, add_model, apprentice_remark, run_experiment
from flex.cli.options import Parser, natural, positive
from flex.errors import SettingsError
from flex.experiments.measured import Measured, difference_numbers, first_attempts, percent, points

if TYPE_CHECKING:
    from flex.experiments.pictures import Table
    from flex.explib import ExpLib


def build_parser() -> Parser:
    script = Path(sys.argv[0]).name
    parser = Parser(
        script if script == "scaling_law.py" else "flex scaling-law",
        "Train epoch after epoch with the library in the loop, and test after each of them.",
    )
    add_model(parser)
    parser.add_argument("--epochs", type=positive, default=5, help="passes over the training tasks; more may be added")
    parser.add_argument(
        "--early", type=natural, default=4, help="measure within the first epoch too: after a half, a quarter, ..."
    )
    add_experiment(parser, "runs/scaling_law")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    options = build_parser().parse(argv)
    return run_experiment(options, lambda steps: scaling_law(options, steps))


async def scaling_law(options: argparse.Namespace, steps: Steps) -> int:
    """Measure without a library, then after every epoch; the library goes on from epoch to epoch."""
    steps.start("scaling law", {"actor": options.model}, early=options.early)
    baseline = await steps.answer(steps.out / "no-library", "agent", options.model)
    print(f"no library: {percent(baseline.numbers())}")
    rows: list[dict[str, Any]] = []
    latest, before = baseline, None
    for epoch in range(1, options.epochs + 1):
        folder = steps.out / f"epoch-{epoch}"
        words: list[str] = ["--load_path", str(before)] if before else []
        library = await steps.learn(folder, options.model, "--use_library", *words)
        before = folder / "library.json"
        for count in early_counts(options, steps) if epoch == 1 else ():
            part = folder / f"after-{count}"
            kept = library_after(library, {task.id for task in steps.train_tasks[:count]}, part / "library.json")
            tested = await steps.answer(part, "flex", options.model, part / "library.json")
            rows.append(row_of(0, count, kept, tested, baseline, None))
            print(line_of(rows[-1]))
        latest = await steps.answer(folder / "test", "flex", options.model, before)
        right, solved = first_attempts(folder, steps.train_tasks, steps.benchmark.accepts)
        trained = (right, solved, len(steps.train_tasks))
        rows.append(row_of(epoch, epoch * len(steps.train_tasks), library, latest, baseline, trained))
        print(line_of(rows[-1]))
    return finish(options, steps, rows, baseline, latest)


def early_counts(options: argparse.Namespace, steps: Steps) -> list[int]:
    """After how many tasks of the first epoch to measure: a half of it, a quarter, and so on."""
    tasks = len(steps.train_tasks)
    return sorted({tasks >> halving for halving in range(1, options.early + 1)} - {0})


def library_after(library: "ExpLib", tasks: set[str], path: Path) -> "ExpLib":
    """The library as it was when only these tasks had been learned from, saved as a file of its own."""
    from flex.explib import ExpLib

    if path.exists():
        return ExpLib(path)
    numbers = [change.number for change in library.history() if tasks.issuperset(change.source.get("tasks") or ())]
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = ExpLib(library.path)
    earlier.rollback(max(numbers, default=0))
    earlier.save(path)
    return ExpLib(path)


def row_of(
    epoch: int,
    tasks: int,
    library: "ExpLib",
    tested: Measured,
    baseline: Measured,
    trained: tuple[int, int, int] | None,
) -> dict[str, Any]:
    """One point of the curve; epoch 0 stands for within the first one."""
    from flex.evaluation.statistics import wilson

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
        "test": tested.numbers(),
        "difference_to_no_library": difference_numbers(tested.minus(baseline)),
        "outcomes": tested.means(),
    }


def line_of(row: Mapping[str, Any]) -> str:
    where = f"epoch {row['epoch']}" if row["epoch"] else f"after {row['tasks']} tasks"
    return f"{where}: library {row['library']}, test {percent(row['test'])}"


def finish(
    options: argparse.Namespace, steps: Steps, rows: list[dict[str, Any]], baseline: Measured, latest: Measured
) -> int:
    """Fit, draw, write and print."""
    from flex.experiments.pictures import Page, Table
    from flex.experiments.pictures.drawing import PHONE, WIDE
    from flex.experiments.pictures.scaling import scaling_picture
    from flex.experiments.power_law import fit_power_law

    if not rows:
        raise SettingsError("there is nothing to draw")
    law = fit_power_law([row["library"] for row in rows], [row.pop("outcomes") for row in rows])
    result = {
        "experiment": "scaling law",
        "benchmark": options.task_type,
        "model": options.model,
        "unit": latest.unit,
        "tasks_per_epoch": len(steps.train_tasks),
        "baseline": baseline.numbers(),
        "points": rows,
        "law": asdict(law),
    }
    table = Table("Measured here", *table_of(rows))
    wide, phone = (scaling_picture(result, width) for width in (WIDE, PHONE))
    last = rows[-1]
    page = Page(
        kicker=f"Scaling law · {options.task_type} · {options.model}",
        headline=f"From {result['baseline']['percent']:.1f} without a library to {last['test']['percent']:.1f} with "
        f"{last['library']} entries after {last['tasks']} explorations ({latest.unit})",
        remarks=remarks(steps, baseline),
        tables=[table, published_table()],
        commands=steps.commands,
        apprentice=steps.of_apprentices,
    )
    code = steps.finish(result, page.html(wide, phone), wide.svg(alone=True), table)
    print(law.words)
    return code


def remarks(steps: Steps, baseline: Measured) -> list[str]:
    line = (
        f"Test: setting flex on {baseline.n} tasks, 95 % intervals; differences are paired by task. Train: the first "
        "attempts of the epoch's exploration, before any feedback, with the library as it was when the batch began."
    )
    return [line, *apprentice_remark(steps)]


def table_of(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    heads = [
        "epoch",
        "tasks",
        "library",
        "golden",
        "warning",
        "train, first try, %",
        "test, %",
        "points over no library",
    ]
    return heads, [
        [
            str(row["epoch"] or "within 1"),
            str(row["tasks"]),
            str(row["library"]),
            str(row["zones"].get("golden", 0)),
            str(row["zones"].get("warning", 0)),
            percent(row["train"]) if row["train"] else "-",
            percent(row["test"]),
            points(row["difference_to_no_library"]),
        ]
        for row in rows
    ]


def published_table() -> "Table":
    from flex.experiments.pictures import Table
    from flex.experiments.published import SCALING, SCALING_BASELINE, SCALING_WHAT

    rows = [[str(e.epoch), str(e.library), f"{e.train:.1f}", f"{e.test:.1f}"] for e in SCALING]
    heads = ["epoch", "library", "train, %", "test, %"]
    return Table(
        f"Published, not measured here: {SCALING_WHAT}", heads, [["none", "0", "-", f"{SCALING_BASELINE:.1f}"], *rows]
    )
