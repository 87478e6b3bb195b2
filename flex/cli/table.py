"""`flex table`: the paper's Table 1 with your runs beside it; every row says where its numbers come from."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flex.cli.compare import named_folders, read_json
from flex.cli.options import Parser, run_command
from flex.errors import SettingsError

SETTINGS = ("vanilla", "icl", "agent", "flex")
APPRENTICE = "apprentice"
"""Its rows stand apart: a mechanical learner has no place among LLMs."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex table", "Print the published results, and measured ones beside them.")
    parser.add_argument("runs", nargs="*", metavar="RUN", type=Path, help="folders of `flex eval` or of the scripts")
    parser.add_argument("--benchmark", default=None, help="only this one")
    options = parser.parse(argv)
    return run_command(lambda: table_command(options))


async def table_command(options: argparse.Namespace) -> int:
    from flex.benchmarks import benchmark_names
    from flex.experiments.published import TABLE_1

    measured = [measured_row(run) for run in options.runs]
    wanted = options.benchmark
    known = dict.fromkeys([*benchmark_names(), *(row.benchmark for row in TABLE_1)])
    if wanted not in (None, *known):
        raise SettingsError(f"unknown benchmark '{wanted}'; choose from {', '.join(known)}")
    print(f"{'benchmark':<11}{'model':<26}{'source':<15}" + "".join(f"{name:>14}" for name in SETTINGS))
    for benchmark in dict.fromkeys([row.benchmark for row in TABLE_1] + [row["benchmark"] for row in measured]):
        if wanted in (None, benchmark):
            for row in (r for r in TABLE_1 if r.benchmark == benchmark):
                cells = "".join(f"{getattr(row, name):>14.1f}" for name in SETTINGS)
                print(f"{benchmark:<11}{row.model:<26}{'published':<15}{cells}")
            for mine in (r for r in measured if r["benchmark"] == benchmark and not r["model"].startswith(APPRENTICE)):
                print(line_of(mine))
    apart = [r for r in measured if r["model"].startswith(APPRENTICE) and wanted in (None, r["benchmark"])]
    if apart:
        print("\nthe apprentice is a mechanical learner, not an LLM:")
        for mine in apart:
            print(line_of(mine))
    return 0


def measured_row(run: Path) -> dict[str, Any]:
    """A run as a row: accuracy and half the interval's width by setting, in per cent."""
    summaries = [read_json(folder / "summary.json") for folder in named_folders([run]).values()]
    cells = {
        s["setting"]: f"{100 * s[s.get('headline', 'accuracy')]:.1f}±{50 * (s['high'] - s['low']):.1f}"
        for s in summaries
    }
    return {"benchmark": summaries[0]["benchmark"], "model": summaries[0]["model"], "cells": cells}


def line_of(row: dict[str, Any]) -> str:
    cells = "".join(f"{row['cells'].get(name, '-'):>14}" for name in SETTINGS)
    return f"{row['benchmark']:<11}{row['model']:<26}{'measured here':<15}{cells}"
