"""`scripts/test_aime.py`, `test_retro.py` and `test_flex.py`: answer a test split in one setting."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from flex.cli.measure import add_measuring, closing_lines, leakage_lines, run_settings
from flex.cli.options import Parser, add_budget, add_endpoint, positive, run_command, stopped
from flex.errors import SettingsError

RESUME = "The same command goes on from here."


def benchmark_parser(task_type: str, data_path: str, library: str) -> Parser:
    """The flags of test_aime.py and test_retro.py."""
    script = Path(library).stem
    parser = Parser(f"test_{script}.py", f"Answer the test split of '{task_type}' as a chat, an agent, or with FLEX.")
    yes_or_no = argparse.BooleanOptionalAction
    parser.add_argument("--model", required=True, help="the actor")
    parser.add_argument("--use_actor", action=yes_or_no, default=True, help="an agent, or one chat reply")
    parser.add_argument("--retrieve", action=yes_or_no, default=False, help="let it consult the library")
    parser.add_argument("--memory_path", type=Path, default=None, help=f"the library to consult; default: {library}")
    parser.add_argument("--data_path", type=Path, default=Path(data_path), help="the test split, a .jsonl file")
    parser.add_argument("--batch_size", type=positive, default=10, help="tasks answered at once")
    parser.set_defaults(task_type=task_type, split="test", default_library=Path(library))
    _add_common(parser)
    return parser


def flex_parser() -> Parser:
    """The flags of test_flex.py."""
    from flex.benchmarks import benchmark_names

    parser = Parser("test_flex.py", "Answer a split of any benchmark with an agent and an experience library.")
    parser.add_argument("--task_type", required=True, choices=benchmark_names(), help="the benchmark")
    parser.add_argument("--actor", dest="model", required=True, help="the actor's model")
    parser.add_argument("--memory_path", type=Path, default=None, help="the library, a file or a folder")
    parser.add_argument("--data_path", type=Path, required=True, help="the folder that holds <split>.jsonl")
    parser.add_argument("--split", default="test", help="which split")
    parser.add_argument("--batch_size", type=positive, default=None, help="tasks of a batch; default: --max_concurrent")
    parser.add_argument("--max_concurrent", type=positive, default=10, help="tasks answered at once")
    parser.add_argument("--no-retrieve", dest="retrieve", action="store_false", help="the same agent without a library")
    parser.set_defaults(use_actor=True, default_library=None)
    _add_common(parser)
    return parser


def _add_common(parser: Parser) -> None:
    parser.add_argument("--results_dir", type=Path, default=None, help="default: results/<benchmark>_<setting>_<model>")
    parser.add_argument("--pass_at_n", dest="repeats", type=positive, default=1, help="distinct attempts per task")
    add_measuring(parser)
    add_budget(parser)
    add_endpoint(parser)


def main_aime(argv: Sequence[str] | None = None) -> int:
    return _main(benchmark_parser("math", "data/AIME/test.jsonl", "exps/aime.json"), argv)


def main_retro(argv: Sequence[str] | None = None) -> int:
    return _main(benchmark_parser("retro", "data/uspto50k/test.jsonl", "exps/retro.json"), argv)


def main_flex(argv: Sequence[str] | None = None) -> int:
    return _main(flex_parser(), argv)


def parse(parser: Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The options; --batch_size is the concurrency where there is no flag for it, and a library may have a default."""
    options = parser.parse(argv)
    if "max_concurrent" not in options:
        options.max_concurrent = options.batch_size
    if options.retrieve:
        options.memory_path = options.memory_path or options.default_library
    return options


def _main(parser: Parser, argv: Sequence[str] | None) -> int:
    options = parse(parser, argv)
    return run_command(lambda: test_command(options), verbose=options.verbose, resume=RESUME)


def setting_name(options: argparse.Namespace) -> str:
    """--use_actor and --retrieve as the setting's name."""
    names = {(False, False): "vanilla", (True, False): "agent", (True, True): "flex", (False, True): "flex-chat"}
    return names[options.use_actor, options.retrieve]


async def test_command(options: argparse.Namespace) -> int:
    """Run the setting and say what came of it; 1 when every answer failed."""
    from flex.evaluation.settings import get_setting

    if options.default_library and options.memory_path and not options.retrieve:
        raise SettingsError(f"--memory_path {options.memory_path} is read only with --retrieve: add --retrieve")
    setting = get_setting(setting_name(options))
    folder = options.results_dir or default_folder(options, setting.name)
    plan, summaries, reason = await run_settings(options, [setting], lambda _: folder)
    if reason:
        return stopped(reason, RESUME)
    summary = summaries[setting.name]
    for line in [*leakage_lines(plan), *closing_lines(summary), f"results: {folder}"]:
        print(line)
    return 1 if summary["failed"] == summary["n"] * summary["repeats"] else 0


def default_folder(options: argparse.Namespace, setting: str) -> Path:
    return Path("results") / re.sub(r"[^\w.-]+", "-", f"{options.task_type}_{setting}_{options.model}")
