"""`flex eval`: a benchmark in several settings, compared with honest uncertainty."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flex.cli.command import RESUME, interruptible, run_command, stopped
from flex.cli.flags import ALL_PAIRS, Parser
from flex.cli.progress import progress_bar
from flex.cli.tables import failures, results_table
from flex.runs.config import EvalRun

if TYPE_CHECKING:
    pass


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(
        "flex eval",
        "Answer a test split in several settings and compare them.",
        "flex eval --benchmark math --model gpt-5-mini --library exps/mine.json --settings agent,flex,flex-shuffled",
    )
    parser.add_config(EvalRun)
    parser.add_argument("--all_pairs", **ALL_PAIRS)
    options = parser.parse(argv)
    run = parser.config(EvalRun, options)
    return run_command(lambda: eval_command(run, all_pairs=options.all_pairs), verbose=options.verbose, resume=RESUME)


async def eval_command(run: EvalRun, *, all_pairs: bool = False) -> int:
    """Run every setting, compare them, and say what came of it; 1 when something is missing (docs/evaluation.md)."""
    from flex.runs import evaluate

    with interruptible() as stop:
        result = await evaluate(run, bar=progress_bar, stop=stop)
    if result.stopped is not None:
        return stopped(result.stopped, RESUME)
    table = results_table(result.settings, result.comparisons, all_pairs=all_pairs)
    for line in [*filter(None, [result.leakage]), *table]:
        print(line)
    for line in [f"report: {result.report}", *failures(result.settings)]:
        print(line)
    return int(result.failed)
