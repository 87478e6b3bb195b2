"""Libraries of some models used by others (paper, 4.3; `flex inheritance`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flex.errors import SettingsError
from flex.evaluation.folder import SettingRun
from flex.evaluation.statistics import Difference
from flex.experiments.config import Inheritance
from flex.experiments.measured import judged_together, numbers, percent, points, unit
from flex.experiments.pictures import Table
from flex.experiments.pictures.inheritance import inheritance_picture
from flex.experiments.published import INHERITANCE
from flex.experiments.steps import Findings, Steps
from flex.explib import ExpLib
from flex.files.paths import existing
from flex.runs.config import file_name


async def inheritance(run: Inheritance, steps: Steps) -> Findings:
    """Every model learns alone, with the library in the loop; then every model is tested with every library."""
    if not run.models:
        raise SettingsError("--models names no model")
    given = {name: existing(path, "the library") for name, path in run.library.items()}
    if twice := [name for name in given if name in run.models]:
        raise SettingsError(f"--library {twice[0]}=...: a model of that name learns its own; choose another name")
    steps.start("inheritance", {str(place): name for place, name in enumerate(run.models)})
    libraries = dict[str, Path]()
    for model in run.models:
        folder = steps.out / "learned" / file_name(model)
        library = await steps.learn(folder, model, use_library=True)
        steps.say(f"{model} learned {len(library)} experiences")
        libraries[model] = folder / "library.json"
    libraries |= given
    rows: list[dict[str, Any]] = []
    differences: list[Difference] = []
    for model in run.models:
        place = steps.out / "used" / file_name(model)
        alone = await steps.answer(place / "no-library", "agent", model)
        steps.say(f"{model} without a library: {percent(numbers(alone.summary))}")
        cells = []
        for name, path in libraries.items():
            used = await steps.answer(place / f"library-of-{file_name(name)}", "flex", model, path)
            cells.append({"library": name, **numbers(used.summary)})
            differences.append(used.minus(alone))
            steps.say(f"{model} with the library of {name}: {percent(numbers(used.summary))}")
        rows.append({"model": model, "agent": numbers(alone.summary), "cells": cells})
    all_cells = (cell for row in rows for cell in row["cells"])
    for cell, difference in zip(all_cells, judged_together(differences), strict=True):
        cell["difference"] = difference
    return finish(run, steps, libraries, rows, alone)


def finish(
    run: Inheritance, steps: Steps, libraries: Mapping[str, Path], rows: list[dict[str, Any]], last: SettingRun
) -> Findings:
    result = {
        "experiment": "inheritance",
        "benchmark": run.benchmark,
        "unit": unit(last.summary),
        "libraries": {name: len(ExpLib(path)) for name, path in libraries.items()},
        "rows": rows,
    }
    remark = (
        f"All learned from the same {len(steps.train_tasks)} tasks and answered the same {last.summary.n} test "
        "tasks. Differences to the same model as an agent without a library are paired by task."
    )
    tables = [Table("Measured here", *table_of(result)), published_table()]
    return steps.finish(result, inheritance_picture, headline(rows), remark, tables)


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


def published_table() -> Table:
    rows = [
        [row.benchmark, row.model, f"{row.alone:.1f}", name, f"{value:.1f}", f"{value - row.alone:+.1f}"]
        for row in INHERITANCE
        for name, value in row.libraries.items()
    ]
    heads = ["benchmark", "used by", "no library", "library of", "with it", "points"]
    return Table("Published, not measured here (per cent; protein: Spearman x 100)", heads, rows)
