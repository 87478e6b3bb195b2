"""`flex audit`: which experiences of a library give the tasks of a split away."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from flex.benchmarks import benchmark_names, get_benchmark
from flex.cli.flags import Parser
from flex.evaluation.leakage import counts, find_leaks, table
from flex.explib import ExpLib
from flex.files.paths import existing
from flex.runs.plan import split_of


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex audit", "List the experiences of a library, and training tasks, that give test tasks away.",
                    "flex audit exps/mine.json --benchmark math --against data/AIME/test.jsonl")  # fmt: skip
    parser.add_argument("library", type=Path, help="the library, a file or a folder")
    parser.add_argument("--against", type=Path, required=True, help="the test split, a .jsonl file or its folder")
    parser.add_argument("--benchmark", "--task_type", required=True, choices=benchmark_names(), help="the benchmark")
    parser.add_argument("--train", type=Path, default=None, help="the train split, to be compared as well")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser.run(argv, audit)


def audit(options: argparse.Namespace) -> None:
    """Print the leaks and how many there are; finding some is no failure. Raises SettingsError."""
    benchmark = get_benchmark(options.benchmark)
    library = ExpLib(existing(options.library, "the library"))
    tasks = benchmark.load(split_of(options.against, benchmark, "test"))
    train_tasks = benchmark.load(split_of(options.train, benchmark, "train")) if options.train else []
    leaks = find_leaks(tasks, train_tasks, library, benchmark)
    summary = counts(leaks, len(tasks), len(library), len(train_tasks))
    if options.json:
        found = {"tasks": len(tasks), "train_tasks": len(train_tasks), "experiences": len(library)}
        print(json.dumps({**found, "summary": summary, "leaks": [asdict(leak) for leak in leaks]}, indent=2))
    else:
        print(f"{table(leaks)}\n\n{summary}" if leaks else summary)
