"""`flex table`: the paper's Table 1 with your runs beside it; every row says where its numbers come from."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from flex.benchmarks import benchmark_names
from flex.cli.flags import Parser
from flex.errors import SettingsError
from flex.evaluation.folder import named_settings
from flex.evaluation.summary import Summary
from flex.experiments.published import TABLE_1

SETTINGS = ("vanilla", "icl", "agent", "flex")
APPRENTICE = "apprentice"
"""Its rows stand apart: a mechanical learner has no place among LLMs."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex table", "Print the published results, and measured ones beside them.",
                    "flex table results/math_gpt-5-mini --benchmark math")  # fmt: skip
    parser.add_argument("runs", nargs="*", metavar="RUN", type=Path, help="folders of `flex eval` or of the scripts")
    parser.add_argument("--benchmark", default=None, help="only this one")
    return parser.run(argv, table_command)


def table_command(options: argparse.Namespace) -> None:
    measured = [[setting.summary for setting in named_settings([run]).values()] for run in options.runs]
    wanted = options.benchmark
    known = dict.fromkeys([*benchmark_names(), *(row.benchmark for row in TABLE_1)])
    if wanted not in (None, *known):
        raise SettingsError(f"unknown benchmark '{wanted}'; choose from {', '.join(known)}")
    print(f"{'benchmark':<11}{'model':<26}{'source':<15}" + "".join(f"{name:>14}" for name in SETTINGS))
    ours = [run for run in measured if not run[0].model.startswith(APPRENTICE)]
    for benchmark in dict.fromkeys([row.benchmark for row in TABLE_1] + [run[0].benchmark for run in measured]):
        if wanted in (None, benchmark):
            for row in (r for r in TABLE_1 if r.benchmark == benchmark):
                cells = "".join(f"{getattr(row, name):>14.1f}" for name in SETTINGS)
                print(f"{benchmark:<11}{row.model:<26}{'published':<15}{cells}")
            for run in (r for r in ours if r[0].benchmark == benchmark):
                print(line_of(run))
    if apart := [run for run in measured if run not in ours and wanted in (None, run[0].benchmark)]:
        print("\nthe apprentice is a mechanical learner, not an LLM:")
        for run in apart:
            print(line_of(run))


def line_of(run: Sequence[Summary]) -> str:
    """A run as a row: each setting's number and half the width of its interval, in per cent."""
    cells = {
        s.setting: f"{100 * s.value:.1f}±{50 * (s.high - s.low):.1f}{'*' if s.unanswered else ''}"
        for s in run
        if s.value is not None
    }
    shown = "".join(f"{cells.get(name, '-'):>14}" for name in SETTINGS)
    lacking = [s for s in run if s.unanswered and s.setting in SETTINGS]
    missing = ", ".join(f"{s.unanswered} of {s.answers} in {s.setting}" for s in lacking)
    note = f"\n  * answers that never came: {missing}" if missing else ""
    return f"{run[0].benchmark:<11}{run[0].model:<26}{'measured here':<15}{shown}{note}"
