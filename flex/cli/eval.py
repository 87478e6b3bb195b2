"""`flex eval`: a benchmark in several settings, compared with honest uncertainty."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flex.cli.command import RESUME, interruptible, progress_bar, run_command, stopped
from flex.cli.flags import ALL_PAIRS, Parser
from flex.cli.tables import results_table
from flex.runs.config import EvalRun

if TYPE_CHECKING:
    from flex.runs.eval_run import EvalResult


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
    """Run every setting, compare them, and say what came of it; 1 when a setting failed throughout."""
    from flex.runs import evaluate

    with interruptible() as stop:
        result = await evaluate(run, bar=progress_bar, stop=stop)
    if result.stopped is not None:
        return stopped(result.stopped, RESUME)
    table = results_table(result.settings, result.comparisons, all_pairs=all_pairs)
    for line in [*filter(None, [result.leakage]), *table]:
        print(line)
    for line in [f"report: {result.report}", *failures(result)]:
        print(line)
    return int(result.failed)


def failures(result: "EvalResult") -> list[str]:
    """The last lines of a run in which calls failed for good."""
    counts = {
        words: {name: count for name, summary in result.settings.items() if (count := getattr(summary, key))}
        for key, words in (("failed", "failed and count as wrong"), ("unanswered", "never came and do not count"))
    }
    lines = {words: ", ".join(f"{n} in {name}" for name, n in found.items()) for words, found in counts.items()}
    return [f"answers that {words}: {where}; the same command retries them" for words, where in lines.items() if where]
