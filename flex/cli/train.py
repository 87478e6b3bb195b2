"""`flex train` and `scripts/reject_sampling.py`: learn from a train split and grow a library."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flex.cli.command import interruptible, run_command, script_name, stopped
from flex.cli.flags import Parser
from flex.cli.progress import progress_bar
from flex.cli.tables import MOST_REASONS
from flex.runs.config import TrainRun
from flex.text import one_line

if TYPE_CHECKING:
    from flex.runs.train_run import TrainResult


_REASON = 120
"""Characters of a reason that are shown."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(
        script_name("reject_sampling.py", "flex train"),
        "Explore a train split by reject sampling and grow an experience library.",
        "flex train --benchmark math --model gpt-5-mini --save_to exps/mine.json --max_usd 5",
    )
    parser.add_config(TrainRun)
    options = parser.parse(argv)
    run = parser.config(TrainRun, options)
    resume = f"The same command with --out {run.folder} goes on from here."
    return run_command(lambda: train_command(run, resume), verbose=options.verbose, resume=resume)


async def train_command(run: TrainRun, resume: str) -> int:
    """Train, then say in a few lines what came of it; 1 when every task failed, or an error that nobody foresaw."""
    from flex.runs import train

    with interruptible() as stop:
        result = await train(run, bar=progress_bar, stop=stop)
    if result.stopped is not None:
        return stopped(result.stopped, resume)
    for line in closing_lines(result):
        print(line)
    progress = result.progress
    return int(bool(progress.unforeseen or (progress.explored and progress.failed == progress.explored)))


def closing_lines(result: "TrainResult") -> list[str]:
    progress, usage = result.progress, result.total
    ends = {"cut off at the token limit": progress.cut_off, "filtered": progress.filtered, "empty": progress.empty}
    ended = ", ".join(f"{count} {how}" for how, count in ends.items() if count)
    why = f"the first: {one_line(progress.why_not_distilled, _REASON)}"
    lines = [
        f"explored {progress.explored} tasks: {progress.solved} solved, {progress.failed} failed",
        f"experiences: {progress.inserted} inserted, {progress.merged} merged, {progress.discarded} discarded"
        + (f", {progress.quarantined} quarantined" if progress.quarantined else "")
        + (f", {progress.undecided} set aside" if progress.undecided else "")
        + (f", {progress.not_distilled} rollouts without one ({why})" if progress.not_distilled else ""),
        f"verifier: asked about {progress.verdicts} of {progress.attempts} attempts, "
        f"disagreed with the score in {progress.disagreements}"
        + (f", {progress.unread} replies were no verdict" if progress.unread else ""),
        *([f"attempts: {ended}, of {progress.attempts}"] if ended else ()),
        *([f"{progress.copied} replies copied their prompt and were dropped"] if progress.copied else ()),
        f"calls {usage.calls}, retries {usage.retries}, "
        f"tokens {usage.prompt_tokens} in + {usage.completion_tokens} out",
        f"library: {len(result.library)} experiences in {result.save_to}",
    ]
    if progress.failed:
        every = "every task failed" if progress.failed == progress.explored else f"{progress.failed} tasks failed"
        lines.append(f"{every}; the first: {progress.errors[0]}")
    if progress.reasons:
        why = ", ".join(f"{count} ({reason})" for reason, count in progress.reasons.most_common(MOST_REASONS))
        lines.append(f"tasks that failed, experiences set aside: {why}; the same command asks again")
    if progress.unforeseen:
        where = result.folder / "events.jsonl"
        lines.append(f"unforeseen errors: {progress.unforeseen}; their tracebacks are in {where}")
    return [*lines, f"run folder: {result.folder}"]
