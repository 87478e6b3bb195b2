"""`flex aa`: one setting twice, to see what chance alone does."""

from collections.abc import Sequence

from flex.cli.command import RESUME, interruptible, run_command, stopped
from flex.cli.flags import Parser
from flex.cli.progress import progress_bar
from flex.cli.tables import results_table
from flex.evaluation.noise import RESOLVED, Noise
from flex.runs.config import EvalRun
from flex.runs.fields import names_in


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(
        "flex aa",
        "Run one setting twice: how often answers flip, how far two such runs are apart, what resolves five points.",
        "flex aa --benchmark math --model gpt-5-mini --setting agent --samples 30",
    )
    parser.add_config(EvalRun, leave_out=("settings", "primary", "margin"))
    parser.add_argument("--setting", "--settings", default="agent", help="which one is run twice")
    options = parser.parse(argv)
    run = parser.config(EvalRun, options, settings=names_in(options.setting))
    return run_command(lambda: aa_command(run), verbose=options.verbose, resume=RESUME)


async def aa_command(run: EvalRun) -> int:
    """Run the setting twice and say what came of it; 1 when a run failed throughout."""
    from flex.runs import aa

    with interruptible() as stop:
        result = await aa(run, bar=progress_bar, stop=stop)
    if result.noise is None:
        return stopped(result.stopped or "", RESUME)
    print("\n".join([*filter(None, [result.leakage]), *results_table(result.runs, ()), "", *noise_lines(result.noise)]))
    print(f"results: {result.folder}")
    return int(any(s.failed + s.unanswered == s.answers or s.unforeseen for s in result.runs.values()))


def noise_lines(n: Noise) -> list[str]:
    """What two runs of the same say about chance."""
    size = f"{n.tasks} tasks x {n.repeats}"
    lines = [
        f"flip rate: {100 * n.flip_rate:.1f} % of answers differ between the runs "
        f"(95 % interval {100 * n.low:.1f} to {100 * n.high:.1f}, {size})",
        f"noise band: two runs of the same are up to {100 * n.band:.1f} points apart, 19 times in 20; "
        f"these are {100 * n.difference:+.1f}",
    ]
    points = f"to resolve {100 * RESOLVED:.0f} points (80 % power)"
    if n.flip_rate == 0:
        same = "where the same question gets the same answer, as at temperature 0, repeats tell nothing new"
        return [*lines, f"{points}: {n.answers} tasks or more; {same}"]
    enough = f"{n.tasks} tasks x {n.needed_repeats}"
    return [*lines, f"{points}: {n.answers} answers per setting or more, such as {enough} or {n.answers} tasks x 1"]
