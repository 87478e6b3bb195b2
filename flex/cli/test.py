"""`scripts/test_aime.py`, `test_retro.py` and `test_flex.py`: answer a test split in one setting."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flex.cli.command import RESUME, interruptible, run_command, stopped
from flex.cli.flags import Parser
from flex.cli.progress import progress_bar
from flex.cli.tables import closing_lines
from flex.errors import SettingsError
from flex.runs.config import EvalRun, file_name

PUBLISHED = {"math": Path("exps/aime_claude.json"), "retro": Path("exps/retro_claude.json")}
"""The library that is read where none is named."""
SAMPLING = {"temperature": 0.0}
"""As in the published scripts: the same question gets the same answer, as far as the endpoint can."""


def benchmark_parser(benchmark: str, script: str) -> Parser:
    parser = Parser(
        script,
        f"Answer the test split of '{benchmark}' as a chat, an agent, or with FLEX.",
        f"python scripts/{script} --model gpt-5-mini --retrieve",
    )
    yes_or_no = argparse.BooleanOptionalAction
    parser.add_argument("--use_actor", action=yes_or_no, default=True, help="an agent, or one chat reply")
    parser.add_argument("--retrieve", action=yes_or_no, default=False, help="let it consult the library")
    parser.description = f"{parser.description} With --retrieve and no --library it reads {PUBLISHED[benchmark]}."
    parser.add_config(EvalRun, leave_out=("settings", "primary", "margin", "benchmark", "split"), defaults=SAMPLING)
    parser.set_defaults(benchmark=benchmark, max_concurrent=None)
    return parser


def flex_parser() -> Parser:
    parser = Parser(
        "test_flex.py",
        "Answer a split of any benchmark with an agent and an experience library.",
        "python scripts/test_flex.py --benchmark math --model gpt-5-mini",
    )
    parser.add_argument("--no-retrieve", dest="retrieve", action="store_false", help="the same agent without a library")
    parser.add_config(EvalRun, leave_out=("settings", "primary", "margin"), defaults=SAMPLING)
    return parser


def main_aime(argv: Sequence[str] | None = None) -> int:
    return _main(benchmark_parser("math", "test_aime.py"), argv)


def main_retro(argv: Sequence[str] | None = None) -> int:
    return _main(benchmark_parser("retro", "test_retro.py"), argv)


def main_flex(argv: Sequence[str] | None = None) -> int:
    return _main(flex_parser(), argv)


def _main(parser: Parser, argv: Sequence[str] | None) -> int:
    options = parser.parse(argv)
    return run_command(lambda: test_command(parser, options), verbose=options.verbose, resume=RESUME)


async def test_command(parser: Parser, options: argparse.Namespace) -> int:
    """Run the setting and say what came of it; 1 when every answer failed."""
    from flex.runs.eval_run import answer_split

    agent = getattr(options, "use_actor", True)
    if options.library and not options.retrieve and "use_actor" in options:  # test_flex.py reads it by default
        raise SettingsError(f"--library {options.library} is read only with --retrieve: add --retrieve")
    setting = ("flex" if agent else "flex-chat") if options.retrieve else "agent" if agent else "vanilla"
    run = parser.config(
        EvalRun,
        options,
        settings=(setting,),
        library=library_of(options) if options.retrieve else None,
        # The published scripts know one number: how many tasks are answered at once.
        max_concurrent=options.max_concurrent or options.batch_size or 10,
    )
    run = replace(run, out=run.out or Path("results") / file_name(f"{run.benchmark}_{setting}_{run.model}"))
    with interruptible() as stop:
        result = await answer_split(run, {setting: run.folder}, bar=progress_bar, stop=stop)
    if result.stopped is not None:
        return stopped(result.stopped, RESUME)
    print("\n".join([*filter(None, [result.leakage]), *closing_lines(result.settings[setting])]))
    print(f"results: {run.folder}")
    return int(result.failed)


def library_of(options: argparse.Namespace) -> Path | None:
    """The library that is named, else the published one. Raises SettingsError when that is not there."""
    published = PUBLISHED.get(options.benchmark)
    if options.library is None and published and not published.exists():
        raise SettingsError(f"no --library is given and {published} is not there: `flex download` fetches it")
    return options.library or published
