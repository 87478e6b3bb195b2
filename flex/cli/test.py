"""`scripts/test_aime.py`, `test_retro.py` and `test_flex.py`: answer a test split in one setting."""

import argparse
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.cli.options import (
    Parser,
    add_endpoint,
    existing,
    make_client,
    make_model,
    positive,
    run_command,
)
from flex.cli.train import fingerprint
from flex.errors import SettingsError

if TYPE_CHECKING:
    from flex.evaluation import EvalConfig, Result
    from flex.explib import ExpLib
    from flex.memory_retriever import MemoryRetriever
    from flex.prompt import Prompts
    from flex.types import Model, Task

EXECUTORS = ("monty", "local", "docker")
CHAT_PROMPTS = ("llm_system_prompt",)
AGENT_PROMPTS = ("actor", "agent_system", "agent_out_of_steps")
LIBRARY_PROMPTS = ("memory", "retrieved", "reask")


def benchmark_parser(task_type: str, data_path: str, library: str) -> Parser:
    """The flags of test_aime.py and test_retro.py."""
    script = Path(library).stem
    parser = Parser(f"test_{script}.py", f"Answer the test split of '{task_type}' as a chat, an agent, or with FLEX.")
    yes_or_no = argparse.BooleanOptionalAction
    parser.add_argument("--model", required=True, help="the actor")
    parser.add_argument("--use_actor", action=yes_or_no, default=True, help="an agent, or one chat reply")
    parser.add_argument("--retrieve", action=yes_or_no, default=False, help="let it consult the library")
    parser.add_argument("--memory_path", type=Path, default=Path(library), help="the library, a file or a folder")
    parser.add_argument("--data_path", type=Path, default=Path(data_path), help="the test split, a .jsonl file")
    parser.add_argument("--batch_size", type=positive, default=10, help="tasks answered at once")
    parser.set_defaults(task_type=task_type)
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
    parser.set_defaults(use_actor=True)
    _add_common(parser)
    return parser


def _add_common(parser: Parser) -> None:
    parser.add_argument("--samples", "--max_samples", dest="samples", type=positive, default=None,
                        help="use only the first so many tasks")  # fmt: skip
    parser.add_argument("--results_dir", type=Path, default=None, help="default: results/<benchmark>_<setting>_<model>")
    parser.add_argument("--pass_at_n", type=positive, default=1, help="distinct attempts per task")
    parser.add_argument("--batch_pause", type=float, default=0.0, help="seconds to wait between batches")
    parser.add_argument("--retriever_model", default=None, help="default: the actor's")
    parser.add_argument("--executor", choices=EXECUTORS, default="monty", help="where the agent's code runs")
    parser.add_argument("--actor_prompt", type=Path, default=None, help="a file of yours instead of ours")
    parser.add_argument("--memory_prompt", type=Path, default=None, help="a file of yours instead of ours")
    add_endpoint(parser)


def main_aime(argv: Sequence[str] | None = None) -> int:
    return _main(benchmark_parser("math", "data/AIME/test.jsonl", "exps/aime.json"), argv)


def main_retro(argv: Sequence[str] | None = None) -> int:
    return _main(benchmark_parser("retro", "data/uspto50k/test.jsonl", "exps/retro.json"), argv)


def main_flex(argv: Sequence[str] | None = None) -> int:
    return _main(flex_parser(), argv)


def parse(parser: Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The options; --batch_size is the concurrency where there is no flag for it."""
    options = parser.parse(argv)
    if "max_concurrent" not in options:
        options.max_concurrent = options.batch_size
    return options


def _main(parser: Parser, argv: Sequence[str] | None) -> int:
    options = parse(parser, argv)
    resume = "The same command goes on from here."
    return run_command(lambda: test_command(options), verbose=options.verbose, resume=resume)


def setting_name(options: argparse.Namespace) -> str:
    """--use_actor and --retrieve as the setting's name."""
    names = {(False, False): "vanilla", (True, False): "agent", (True, True): "flex", (False, True): "flex-chat"}
    return names[options.use_actor, options.retrieve]


async def test_command(options: argparse.Namespace) -> int:
    """Run the setting and say what came of it; 1 when every answer failed."""
    folder, summary = await measure(options)
    print("\n".join(closing_lines(summary, folder)))
    return 1 if summary["failed"] == summary["n"] * summary["repeats"] else 0


async def measure(options: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """Everything between the flags and the loop: the results' folder and its summary.

    Nothing is paid for before all of it has been checked.
    """
    from flex.benchmarks import get_benchmark
    from flex.evaluation import EvalConfig, evaluate, get_setting, solver, summarize, write_summary
    from flex.memory_retriever import MemoryRetriever
    from flex.prompt import Prompts
    from flex.runlog import RunLog
    from flex.telemetry import start_telemetry

    benchmark = get_benchmark(options.task_type)
    tasks = benchmark.load(split_path(options))[: options.samples]
    config = EvalConfig(
        setting=get_setting(setting_name(options)),
        repeats=options.pass_at_n,
        concurrency=options.max_concurrent,
        batch_size=options.batch_size or options.max_concurrent,
        batch_pause=options.batch_pause,
        executor=options.executor,
    )
    prompts = Prompts(benchmark.prompts, {"actor": options.actor_prompt, "memory": options.memory_prompt})
    library = read_library(options) if config.setting.library else None
    folder = options.results_dir or default_folder(options, config)
    async with make_client(options) as client:
        model = make_model(options, client, options.model, "actor")
        retriever = MemoryRetriever(
            make_model(options, client, options.retriever_model or options.model, "retriever"), prompts
        )
        configured = configuration(options, config, tasks, prompts, model, retriever, library)
        await client.check()
        with RunLog(folder) as run, start_telemetry(options.telemetry):
            run.start(configured)
        with solver(config, model, benchmark, prompts, retriever, library) as solve, progress(tasks, config) as show:
            results = await evaluate(tasks, benchmark, solve, config, folder, show)
    summary = summarize(results, benchmark, config.setting, options.model)
    write_summary(folder, summary)
    return folder, summary


def split_path(options: argparse.Namespace) -> Path:
    """The split's file; --data_path may be the folder that holds it."""
    path = Path(options.data_path)
    if path.is_dir():
        path = path / f"{getattr(options, 'split', 'test')}.jsonl"
    return existing(path, "the split")


def read_library(options: argparse.Namespace) -> "ExpLib":
    """The library to consult. Raises SettingsError when there is none."""
    from flex.explib import ExpLib

    if options.memory_path is None:
        raise SettingsError("retrieval needs a library: give --memory_path, or --no-retrieve to do without")
    return ExpLib(existing(options.memory_path, "the library"))


def default_folder(options: argparse.Namespace, config: "EvalConfig") -> Path:
    name = f"{options.task_type}_{config.setting.name}_{options.model}"
    return Path("results") / re.sub(r"[^\w.-]+", "-", name)


def configuration(
    options: argparse.Namespace,
    config: "EvalConfig",
    tasks: "Sequence[Task]",
    prompts: "Prompts",
    model: "Model",
    retriever: "MemoryRetriever",
    library: "ExpLib | None",
) -> dict[str, Any]:
    """What makes this run this run."""
    from flex.runlog import run_config

    agent_prompts = (*AGENT_PROMPTS, f"executor_{config.executor}")
    names = (agent_prompts if config.setting.agent else CHAT_PROMPTS) + (LIBRARY_PROMPTS if library else ())
    sampling = ("temperature", "max_tokens", "reasoning_effort", "extra_body")
    return run_config(
        models={"actor": model.name, **({"retriever": retriever.model.name} if library else {})},
        prompts=prompts.checked(names),
        benchmark=options.task_type,
        setting=config.setting.name,
        repeats=config.repeats,
        executor=config.executor if config.setting.agent else None,
        data=str(options.data_path),
        tasks=fingerprint(tasks),
        library=None if library is None else {"path": str(options.memory_path), "sha256": content_hash(library)},
        **{name: getattr(options, name) for name in sampling},
    )


def content_hash(library: "ExpLib") -> str:
    """A sha256 over all experiences, in order."""
    from flex.atomic import json_bytes
    from flex.runlog import to_jsonable

    return hashlib.sha256(json_bytes(to_jsonable(list(library)))).hexdigest()


@contextmanager
def progress(tasks: "Sequence[Task]", config: "EvalConfig") -> "Iterator[Callable[[Result], None]]":
    """A bar over all answers, with how many were right so far."""
    from tqdm import tqdm

    counts = Counter[str]()
    with tqdm(total=len(tasks) * config.repeats, unit="answer", disable=None) as bar:

        def show(result: "Result") -> None:
            counts.update(correct=result.correct, failed=result.error is not None, tokens=result.usage.tokens)
            bar.set_postfix(counts, refresh=False)
            bar.update(1)

        yield show


def closing_lines(summary: Mapping[str, Any], folder: Path) -> list[str]:
    """The result as a person reads it; the last line says whether any answer failed."""
    usage = summary["usage"]
    rows = summary["n"] * summary["repeats"]
    lines = [
        f"{summary['setting']}: {summary['correct']} of {rows} correct, accuracy {100 * summary['accuracy']:.1f} % "
        f"(95 % interval {100 * summary['low']:.1f} to {100 * summary['high']:.1f}, n = {summary['n']})",
        *(f"{name}: {100 * value:.1f} %" for name, value in summary.items() if name.startswith("pass@")),
        f"calls {usage['calls']}, retries {usage['retries']}, "
        f"tokens {usage['prompt_tokens']} in + {usage['completion_tokens']} out",
        f"results: {folder}",
    ]
    if summary["failed"]:
        lines.append(f"{summary['failed']} of {rows} answers failed and count as wrong; the same command retries them")
    return lines
