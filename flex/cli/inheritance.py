"""`flex inheritance` and `scripts/inheritance.py`: libraries of some models used by others (paper, 4.3)."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.cli.experiments import Steps, add_experiment, apprentice_remark, run_experiment
from flex.cli.options import Parser
from flex.errors import SettingsError
from flex.experiments.measured import Measured, difference_numbers, percent, points
from flex.files.paths import existing

if TYPE_CHECKING:
    from flex.experiments.pictures import Table

MODELS = "apprentice,apprentice-acylation,apprentice-coupling,apprentice-unmasking"


def build_parser() -> Parser:
    script = Path(sys.argv[0]).name
    parser = Parser(
        script if script == "inheritance.py" else "flex inheritance",
        "Let every model learn a library, and every model use the library of every other.",
    )
    add = parser.add_argument
    add("--models", type=names_in, default=MODELS, help="comma-separated; each plays all roles")
    add("--library", type=named_library, action="append", default=[], metavar="NAME=FILE",
        help="one more column: a library that exists (Claude=exps/aime_claude.json); may be repeated")  # fmt: skip
    add_experiment(parser, "runs/inheritance")
    return parser


def names_in(text: str) -> list[str]:
    """The names in a comma-separated list, each once. Raises what argparse shows."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("names no model")
    return names


def named_library(text: str) -> tuple[str, Path]:
    """A column's name and its library. Raises what argparse shows."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=FILE")
    return name, Path(path)


def main(argv: Sequence[str] | None = None) -> int:
    options = build_parser().parse(argv)
    return run_experiment(options, lambda steps: inheritance(options, steps))


async def inheritance(options: argparse.Namespace, steps: Steps) -> int:
    """Every model learns alone, with the library in the loop; then every model is tested with every library."""
    given = {name: existing(path, "the library") for name, path in options.library}
    if twice := [name for name in given if name in options.models]:
        raise SettingsError(f"--library {twice[0]}=...: a model of that name learns its own; choose another name")
    steps.start("inheritance", {str(place): name for place, name in enumerate(options.models)})
    libraries = dict[str, Path]()
    for model in options.models:
        folder = steps.out / "learned" / folder_name(model)
        library = await steps.learn(folder, model, "--use_library")
        print(f"{model} learned {len(library)} experiences")
        libraries[model] = folder / "library.json"
    libraries |= given
    rows = []
    for model in options.models:
        place = steps.out / "used" / folder_name(model)
        alone = await steps.answer(place / "no-library", "agent", model)
        print(f"{model} without a library: {percent(alone.numbers())}")
        cells = []
        for name, path in libraries.items():
            used = await steps.answer(place / f"library-of-{folder_name(name)}", "flex", model, path)
            cells.append(cell_of(name, used, alone))
            print(f"{model} with the library of {name}: {percent(used.numbers())}")
        rows.append({"model": model, "agent": alone.numbers(), "cells": cells})
    return finish(options, steps, libraries, rows, alone)


def folder_name(model: str) -> str:
    return re.sub(r"[^\w.-]+", "-", model)


def cell_of(library: str, used: Measured, alone: Measured) -> dict[str, Any]:
    return {"library": library, **used.numbers(), "difference": difference_numbers(used.minus(alone))}


def finish(
    options: argparse.Namespace,
    steps: Steps,
    libraries: Mapping[str, Path],
    rows: list[dict[str, Any]],
    measured: Measured,
) -> int:
    """Draw, write and print."""
    from flex.experiments.pictures import Page, Table
    from flex.experiments.pictures.drawing import PHONE, WIDE
    from flex.experiments.pictures.inheritance import inheritance_picture
    from flex.explib import ExpLib

    result = {
        "experiment": "inheritance",
        "benchmark": options.task_type,
        "unit": measured.unit,
        "libraries": {name: len(ExpLib(path)) for name, path in libraries.items()},
        "rows": rows,
    }
    table = Table("Measured here", *table_of(result))
    wide, phone = (inheritance_picture(result, width) for width in (WIDE, PHONE))
    page = Page(
        kicker=f"Inheritance · {options.task_type} · {', '.join(options.models)}",
        headline=headline(rows),
        remarks=[
            f"All learned from the same {len(steps.train_tasks)} tasks and answered the same {measured.n} test tasks. "
            "Differences to the same model as an agent without a library are paired by task.",
            *apprentice_remark(steps),
        ],
        tables=[table, published_table(options.task_type)],
        commands=steps.commands,
        apprentice=steps.of_apprentices,
    )
    return steps.finish(result, page.html(wide, phone), wide.svg(alone=True), table)


def headline(rows: Sequence[Mapping[str, Any]]) -> str:
    """How often somebody else's library is worth something."""
    others = [cell["difference"] for row in rows for cell in row["cells"] if cell["library"] != row["model"]]
    better = sum(difference["verdict"] == "better" for difference in others)
    if not others:
        return "One model and its own library: give more --models for a matrix"
    return f"{better} of {len(others)} times a model is better with the library of another one than without a library"


def table_of(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    heads = ["used by", "library of", "entries", result["unit"], "points over no library", "verdict"]
    rows = []
    for row in result["rows"]:
        rows.append([row["model"], "-", "-", percent(row["agent"]), "-", "-"])
        for cell in row["cells"]:
            difference, entries = cell["difference"], str(result["libraries"][cell["library"]])
            shown = [percent(cell), points(difference), difference["verdict"]]
            rows.append([row["model"], cell["library"], entries, *shown])
    return heads, rows


def published_table(benchmark: str) -> "Table":
    from flex.experiments.pictures import Table
    from flex.experiments.published import INHERITANCE

    rows = [
        [row.benchmark, row.model, f"{row.alone:.1f}", name, f"{value:.1f}", f"{value - row.alone:+.1f}"]
        for row in INHERITANCE
        for name, value in row.libraries.items()
    ]
    heads = ["benchmark", "used by", "no library", "library of", "with it", "points"]
    return Table("Published, not measured here (per cent; protein: Spearman x 100)", heads, rows)
