"""`flex ablation` and `scripts/ablation.py`: what each part is worth, by taking it away.

One training run explores; every variant is made of its explorations, so that only the part in question differs and
nothing is explored twice. `no updater` keeps every experience as it was distilled, `no critic` the bare records.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.cli.experiments import Steps, add_experiment, add_model, apprentice_remark, run_experiment
from flex.cli.options import Parser, positive
from flex.errors import SettingsError
from flex.experiments.measured import Measured, difference_numbers, percent, points

if TYPE_CHECKING:
    from flex.explib import ExpLib
    from flex.types import Experience, Exploration

FULL = "full"
VARIANTS = {
    FULL: "the library that critic and updater made, read as the benchmark's libraries are",
    "flat retrieval": "the same library in the order of the search, no model selects",
    "hierarchical retrieval": "the same library, a model selects methods, then rules, then trajectories",
    "no warning zone": "the same library without its entries from failures",
    "no updater": "every experience added as it was distilled, nothing merged or discarded",
    "no critic": "the records of all attempts as entries, nothing distilled",
    "no library": "the agent alone",
}


def build_parser() -> Parser:
    script = Path(sys.argv[0]).name
    parser = Parser(
        script if script == "ablation.py" else "flex ablation",
        "Take away one part of FLEX at a time and see what it was worth.",
    )
    add_model(parser)
    parser.add_argument("--variants", default=None, help=f"comma-separated: {', '.join(VARIANTS)}; default: all")
    parser.add_argument("--epochs", type=positive, default=1, help="passes over the training tasks")
    add_experiment(parser, "runs/ablation")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    options = build_parser().parse(argv)
    return run_experiment(options, lambda steps: ablation(options, steps))


async def ablation(options: argparse.Namespace, steps: Steps) -> int:
    """Train once, make the libraries of all variants of it, and answer the test split with each."""
    own = f"{steps.benchmark.retrieval} retrieval"
    names = chosen(options.variants or ",".join(name for name in VARIANTS if name != own))
    steps.start("ablation", {"actor": options.model}, training_epochs=options.epochs)
    folder = steps.out / "learned"
    library = await steps.learn(folder, options.model, "--use_library", "--epochs", str(options.epochs))
    whole = folder / "library.json"
    measured: dict[str, Measured] = {}
    sizes: dict[str, int] = {}
    for name in names:
        place = steps.out / name.replace(" ", "-")
        path = whole
        if name in DERIVED:
            path = place / "library.json"
            if not path.exists():
                derived(DERIVED[name](library, folder), path)
        if name == "no library":
            measured[name], sizes[name] = await steps.answer(place, "agent", options.model), 0
        else:
            words = ["--retrieval", name.split()[0]] if name.endswith("retrieval") else []
            measured[name] = await steps.answer(place, "flex", options.model, path, *words)
            sizes[name] = entries(path)
        print(f"{name}: {percent(measured[name].numbers())}")
    return finish(options, steps, measured, sizes)


def chosen(text: str) -> list[str]:
    """The variants named, the whole first. Raises SettingsError."""
    names = [name.strip().replace("-", " ") for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in VARIANTS]:
        raise SettingsError(f"unknown variant '{unknown[0]}'; choose from {', '.join(VARIANTS)}")
    return list(dict.fromkeys([FULL, *names]))


def derived(experiences: "Iterable[Experience]", path: Path) -> None:
    """Save these experiences as a library of their own."""
    from flex.explib import ExpLib

    library = ExpLib()
    for experience in experiences:
        library.add(experience)
    path.parent.mkdir(parents=True, exist_ok=True)
    library.save(path)


def without_warnings(library: "ExpLib", run: Path) -> "Iterable[Experience]":
    return [experience for experience in library if experience.zone != "warning"]


def as_distilled(library: "ExpLib", run: Path) -> "Iterable[Experience]":
    return [experience for exploration in explorations(run) for experience in exploration.experiences]


def as_recorded(library: "ExpLib", run: Path) -> "Iterable[Experience]":
    from flex.experiments.undistilled import undistilled

    return [undistilled(trajectory) for exploration in explorations(run) for trajectory in exploration.trajectories]


DERIVED: "dict[str, Callable[[ExpLib, Path], Iterable[Experience]]]" = {
    "no warning zone": without_warnings,
    "no updater": as_distilled,
    "no critic": as_recorded,
}
"""Variants whose libraries are made of the training run, which stands in a folder."""


def explorations(run: Path) -> "list[Exploration]":
    """What a training run has explored, in the order of epochs and tasks."""
    from flex.files.jsonlines import decode
    from flex.files.runlog import RunLog
    from flex.types import Exploration

    latest = {(e["epoch"], e["exploration"]["task"]["id"]): e for e in RunLog(run).events("explored")}
    ordered = sorted(latest.values(), key=lambda e: (e["epoch"], e["exploration"]["task"]["index"]))
    return [decode(Exploration, event["exploration"]) for event in ordered]


def entries(path: Path) -> int:
    from flex.explib import ExpLib

    return len(ExpLib(path))


def finish(options: argparse.Namespace, steps: Steps, measured: dict[str, Measured], sizes: dict[str, int]) -> int:
    """Compare with the whole, draw, write and print."""
    from flex.experiments.pictures import Page, Table
    from flex.experiments.pictures.ablation import ablation_picture
    from flex.experiments.pictures.drawing import PHONE, WIDE
    from flex.experiments.published import ABLATION, ABLATION_WHAT

    whole = measured[FULL]
    variants: list[dict[str, Any]] = [
        {
            "name": name,
            "library": sizes[name],
            **one.numbers(),
            "difference_to_full": None if name == FULL else difference_numbers(one.minus(whole)),
        }
        for name, one in measured.items()
    ]
    result = {
        "experiment": "ablation",
        "benchmark": options.task_type,
        "model": options.model,
        "unit": whole.unit,
        "variants": variants,
    }
    table = Table("Measured here", *table_of(variants, whole.unit))
    published = Table(
        f"Published, not measured here: {ABLATION_WHAT}",
        ["variant", "value"],
        [[name, f"{value:.3f}"] for name, value in ABLATION],
    )
    wide, phone = (ablation_picture(result, width) for width in (WIDE, PHONE))
    page = Page(
        kicker=f"Ablation · {options.task_type} · {options.model}",
        headline=headline(variants),
        remarks=[
            f"One training run over {len(steps.train_tasks)} tasks; every variant is made of its explorations and "
            f"answered the same {whole.n} test tasks. Differences are paired by task.",
            *apprentice_remark(steps),
        ],
        tables=[table, published],
        commands=steps.commands,
        apprentice=steps.of_apprentices,
    )
    return steps.finish(result, page.html(wide, phone), wide.svg(alone=True), table)


def headline(variants: Sequence[dict[str, Any]]) -> str:
    """Which parts are shown to matter."""
    worse = [v["name"] for v in variants if (d := v["difference_to_full"]) and d["verdict"] == "worse"]
    if not worse:
        return "No part that was taken away is shown to matter"
    return f"Shown to be worse than the whole: {', '.join(worse)}"


def table_of(variants: Sequence[dict[str, Any]], unit: str) -> tuple[list[str], list[list[str]]]:
    rows = []
    for variant in variants:
        d = variant["difference_to_full"]
        against = [points(d), d["verdict"]] if d else ["-", "-"]
        rows.append([variant["name"], str(variant["library"]), percent(variant), *against, VARIANTS[variant["name"]]])
    return ["variant", "entries", unit, "points against full", "verdict", "what it is"], rows
