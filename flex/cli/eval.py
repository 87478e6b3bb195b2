"""`flex eval`: a benchmark in several settings, compared with honest uncertainty."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flex.cli.compare import comparisons, results_table
from flex.cli.measure import add_measuring, leakage_lines, run_settings
from flex.cli.options import Parser, add_budget, add_endpoint, positive, run_command, stopped
from flex.errors import SettingsError
from flex.files.paths import here_or_shipped

RESUME = "The same command goes on from here."


def build_parser() -> Parser:
    from flex.benchmarks import benchmark_names

    parser = Parser("flex eval", "Answer a test split in several settings and compare them.")
    add = parser.add_argument
    add("--benchmark", dest="task_type", required=True, choices=benchmark_names(), help="which one")
    add("--setting", default="vanilla,agent,flex", help="comma-separated: vanilla, icl, agent, flex, flex-empty, "
        "flex-shuffled, flex-chat")  # fmt: skip
    add("--model", required=True, help="the actor")
    add("--library", "--memory_path", dest="memory_path", type=Path, default=None, help="an experience library")
    add("--repeats", type=positive, default=1, help="independent answers per task and setting")
    add("--out", type=Path, default=None, help="folder of the run; default: results/<benchmark>_<model>")
    add("--data_path", type=Path, default=None, help="the test split or its folder; default: the benchmark's folder")
    add("--split", default="test", help="which split of a folder")
    add("--max_concurrent", type=positive, default=10, help="tasks answered at once")
    add("--batch_size", type=positive, default=None, help="tasks between pauses; default: --max_concurrent")
    add_measuring(parser)
    add_budget(parser)
    add_endpoint(parser)
    return parser


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, paths that were not given filled in."""
    from flex.benchmarks import get_benchmark

    options = build_parser().parse(argv)
    options.data_path = options.data_path or here_or_shipped(get_benchmark(options.task_type).folder)
    name = re.sub(r"[^\w.-]+", "-", f"{options.task_type}_{options.model}")
    options.out = options.out or Path("results") / name
    return options


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    return run_command(lambda: eval_command(options), verbose=options.verbose, resume=RESUME)


async def eval_command(options: argparse.Namespace) -> int:
    """Run every setting, compare them, write summary.json and the report; 1 when a setting failed throughout."""
    from flex.evaluation.settings import get_setting
    from flex.files.atomic import write_json
    from flex.report import write_report

    names = dict.fromkeys(name.strip() for name in options.setting.split(",") if name.strip())
    settings = [get_setting(name) for name in names]
    if not settings:
        raise SettingsError("--setting names no setting")
    plan, summaries, reason = await run_settings(options, settings, lambda setting: options.out / setting.name)
    if reason:
        return stopped(reason, RESUME)
    summary = summary_of(options, summaries)
    write_json(options.out / "summary.json", summary)
    report = write_report(options.out)
    for line in [*leakage_lines(plan), *results_table(summary), f"report: {report}", *failures(summaries)]:
        print(line)
    return int(any(s["failed"] == s["n"] * s["repeats"] for s in summaries.values()))


def summary_of(options: argparse.Namespace, summaries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The content of the run's summary.json."""
    folders = {name: options.out / name for name in summaries}
    costs = {name: summary["cost"] for name, summary in summaries.items()}
    known = [cost["usd"] for cost in costs.values()]
    usage = [summary["usage"] for summary in summaries.values()]
    total = {key: sum(one[key] for one in usage) for key in usage[0]}
    return {
        "benchmark": options.task_type,
        "model": options.model,
        "settings": summaries,
        "comparisons": comparisons(folders),
        "cost": {"settings": costs, "usd": None if None in known else sum(known), "usage": total},
    }


def failures(summaries: dict[str, dict[str, Any]]) -> list[str]:
    """The last line of a run in which calls failed for good."""
    failed = {name: summary["failed"] for name, summary in summaries.items() if summary["failed"]}
    if not failed:
        return []
    counts = ", ".join(f"{count} in {name}" for name, count in failed.items())
    return [f"answers that failed and count as wrong: {counts}; the same command retries them"]
