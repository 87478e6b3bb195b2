"""`flex train` and `scripts/reject_sampling.py`: learn from a train split and grow a library."""

import argparse
import hashlib
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flex.cli.options import (
    Parser,
    add_budget,
    add_endpoint,
    body_sha256,
    existing,
    listening,
    make_client,
    make_model,
    make_stop,
    natural,
    positive,
    run_command,
    stopped,
)

if TYPE_CHECKING:
    from flex.benchmarks import Benchmark
    from flex.concurrency import Stop
    from flex.explib import ExpLib
    from flex.files.runlog import RunLog
    from flex.prompt import Prompts
    from flex.rate_limiter import ChatModel, RateLimitedLLMClient
    from flex.reject_sampling import Progress, Team
    from flex.types import Model, Task, Usage
    from flex.verifier import Acceptance

PROMPTS = (
    "llm_system_prompt",
    "feedback",
    "overruled",
    "verifier",
    "critic_solved",
    "critic_failed",
    "critic_contrast",
    "updater",
    "updater_consolidate",
    "memory",
    "retrieved",
    "reask",
)


def build_parser() -> Parser:
    from flex.benchmarks import benchmark_names

    script = Path(sys.argv[0]).name
    parser = Parser(
        script if script == "reject_sampling.py" else "flex train",
        "Explore a train split by reject sampling and grow an experience library.",
    )
    parser.add_argument("--task_type", required=True, choices=benchmark_names(), help="the benchmark")
    parser.add_argument("--data_path", required=True, type=Path, help="the train split, a .jsonl file or a folder")
    parser.add_argument("--load_path", type=Path, default=None, help="a library (file or folder) to start from")
    parser.add_argument("--store_path", type=Path, default=None, help="where to save it; default exps/<benchmark>.json")
    parser.add_argument("--llm_model", required=True, help="the model that learns: the actor")
    parser.add_argument("--verifier_model", default=None, help="default: the actor's")
    parser.add_argument("--critic_model", default=None, help="default: the actor's")
    parser.add_argument("--updater_model", default=None, help="default: the critic's")
    parser.add_argument("--retriever_model", default=None, help="with --use_library; default: the actor's")
    parser.add_argument("--batch_size", type=positive, default=20, help="tasks explored at once, and between saves")
    parser.add_argument("--max_samples", type=positive, default=None, help="use only the first so many tasks")
    parser.add_argument("--max_rounds", type=positive, default=5, help="attempts within a rollout")
    parser.add_argument("--max_rollouts", type=positive, default=3, help="rollouts of a task that is not solved")
    parser.add_argument("--epochs", type=positive, default=1, help="passes over the split")
    yes_or_no = argparse.BooleanOptionalAction
    parser.add_argument("--direct_add", action=yes_or_no, default=False, help="insert everything, ask no updater")
    parser.add_argument("--contrast", action=yes_or_no, default=False, help="also distil what parts failed from solved")
    parser.add_argument("--use_library", action=yes_or_no, default=False, help="the actor consults the growing library")
    parser.add_argument("--retrieval", choices=("hierarchical", "flat"), default=None, help="default: the benchmark's")
    parser.add_argument("--with_gt", action=yes_or_no, default=True, help="verifier and critic may see the target")
    parser.add_argument("--acceptance", choices=("both", "verifier", "score"), default="both", help="who accepts")
    parser.add_argument("--llm_system_prompt", type=Path, default=None, help="a file of yours instead of ours")
    parser.add_argument("--verifier_prompt", type=Path, default=None, help="a file of yours instead of ours")
    parser.add_argument("--run_dir", type=Path, default=None, help="the run's folder; name an old one to resume it")
    parser.add_argument("--seed", type=natural, default=None, help="shuffle the tasks with it; unset: the file's order")
    add_budget(parser)
    add_endpoint(parser)
    return parser


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, paths that were not given filled in."""
    options = build_parser().parse(argv)
    options.store_path = options.store_path or Path("exps") / f"{options.task_type}.json"
    started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    options.run_dir = options.run_dir or Path("runs") / f"{options.store_path.stem}-{started}"
    options.resume = f"The same command with --run_dir {options.run_dir} goes on from here."
    return options


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    return run_command(lambda: train_command(options), verbose=options.verbose, resume=options.resume)


async def train_command(options: argparse.Namespace) -> int:
    """Everything between the flags and the loop; nothing is paid for before all of it has been checked."""
    from flex.benchmarks import get_benchmark
    from flex.endpoint.embeddings import embedding_models
    from flex.files.runlog import RunLog
    from flex.prompt import Prompts
    from flex.runs.start import holding, library_at_start, starting_library
    from flex.telemetry import start_telemetry

    benchmark = get_benchmark(options.task_type)
    tasks = benchmark.load(existing(options.data_path, "the train split"))
    if options.seed is not None:
        random.Random(options.seed).shuffle(tasks)
    tasks = tasks[: options.max_samples]
    if not options.with_gt:
        tasks = [replace(task, target=None) for task in tasks]
    prompts = Prompts(
        benchmark.prompts, {"llm_system_prompt": options.llm_system_prompt, "verifier": options.verifier_prompt}
    )
    hashes = prompts.checked([*PROMPTS, "progress"] if benchmark.open_ended else PROMPTS)
    options.retrieval = options.retrieval or benchmark.retrieval
    async with make_client(options) as client:
        models = role_models(options, client)
        with RunLog(options.run_dir) as run, start_telemetry(options.telemetry):
            library = starting_library(options, run)
            await client.check()
            run.start(configuration(options, models, hashes, tasks, library))
            library = library_at_start(options, run, library)
            team = build_team(benchmark, prompts, models, options.acceptance, options.retrieval)
            stop = make_stop(
                options, client, {role: model.name for role, model in models.items()} | embedding_models(library.config)
            )
            with listening(stop), holding(options, library):
                return await report(options, tasks, team, library, run, client, stop)


def role_models(options: argparse.Namespace, client: "RateLimitedLLMClient") -> dict[str, "ChatModel"]:
    """The models by role; a role that is not named takes the actor's, the updater the critic's."""
    names = {
        "actor": options.llm_model,
        "verifier": options.verifier_model or options.llm_model,
        "critic": options.critic_model or options.llm_model,
        "updater": options.updater_model or options.critic_model or options.llm_model,
        "retriever": options.retriever_model or options.llm_model,
    }
    return {role: make_model(options, client, name, role) for role, name in names.items()}


def build_team(
    benchmark: "Benchmark",
    prompts: "Prompts",
    models: Mapping[str, "Model"],
    acceptance: "Acceptance",
    retrieval: str = "hierarchical",
) -> "Team":
    """The five roles."""
    from flex.actor import Actor
    from flex.critic import Critic
    from flex.memory_retriever import FlatRetriever, MemoryRetriever
    from flex.reject_sampling import Team
    from flex.updater import Updater
    from flex.verifier import Verifier

    retriever = FlatRetriever if retrieval == "flat" else MemoryRetriever
    return Team(
        Actor(models["actor"], benchmark, prompts),
        Verifier(models["verifier"], benchmark, prompts, acceptance),
        Critic(models["critic"], prompts),
        Updater(models["updater"], prompts),
        retriever(models["retriever"], prompts),
    )


def configuration(
    options: argparse.Namespace,
    models: Mapping[str, "Model"],
    hashes: Mapping[str, str],
    tasks: "Sequence[Task]",
    library: "ExpLib",
) -> dict[str, object]:
    """What makes this run this run."""
    from flex.files.runlog import run_config
    from flex.library.stores import is_database

    settings = ["task_type", "max_rounds", "max_rollouts", "epochs", "direct_add", "contrast", "use_library", "with_gt"]
    settings += ["acceptance", "temperature", "max_tokens", "reasoning_effort"]
    if options.use_library:  # only then does the result depend on how tasks are batched
        settings.append("batch_size")
        if options.retrieval != "hierarchical":  # as runs did that were begun before there was a choice
            settings.append("retrieval")
    return run_config(
        models={role: model.name for role, model in models.items()},
        prompts=hashes,
        seed=options.seed,
        data=str(options.data_path),
        tasks=fingerprint(tasks),
        library=None if is_database(options.store_path) else len(library),  # a database has grown when one resumes
        store_path=str(options.store_path),
        extra_body=body_sha256(options.extra_body),
        **{name: getattr(options, name) for name in settings},
    )


def fingerprint(tasks: "Sequence[Task]") -> str:
    """A sha256 over questions and targets, in order."""
    lines = (f"{task.question}\0{task.target}\n".encode() for task in tasks)
    return hashlib.sha256(b"".join(lines)).hexdigest()


async def report(
    options: argparse.Namespace,
    tasks: "Sequence[Task]",
    team: "Team",
    library: "ExpLib",
    run: "RunLog",
    client: "RateLimitedLLMClient",
    stop: "Stop",
) -> int:
    """Train behind a progress bar, then say in a few lines what came of it."""
    from tqdm import tqdm

    from flex.library.stores import is_database
    from flex.reject_sampling import Limits, Progress, TrainConfig, train
    from flex.runs.start import run_id

    config = TrainConfig(
        limits=Limits(options.max_rollouts, options.max_rounds),
        epochs=options.epochs,
        batch_size=options.batch_size,
        direct_add=options.direct_add,
        contrast=options.contrast,
        use_library=options.use_library,
        run_name=run.folder.name,
        run_id=run_id(run) if is_database(options.store_path) else "",
    )
    with tqdm(total=len(tasks) * options.epochs, unit="task", disable=None) as bar:

        def show(progress: Progress) -> None:
            bar.set_postfix(solved=progress.solved, library=len(library), tokens=client.total.tokens, refresh=False)
            bar.update(1)

        progress = await train(tasks, team, library, config, run, options.store_path, show, stop)
    if progress.unfinished:
        return stopped(stop.reason or "", options.resume)
    run.write("finished", usage=dict(client.usage), library=library.stats(), **asdict(progress))
    for line in closing_lines(progress, library, client.total, options.store_path):
        print(line)
    print(f"run folder: {run.folder}")
    return 1 if progress.explored and progress.failed == progress.explored else 0


def closing_lines(progress: "Progress", library: "ExpLib", usage: "Usage", store_path: Path) -> list[str]:
    """What a person wants to know after a training run."""
    lines = [
        f"explored {progress.explored} tasks: {progress.solved} solved, {progress.failed} failed",
        f"experiences: {progress.inserted} inserted, {progress.merged} merged, {progress.discarded} discarded"
        + (f", {progress.quarantined} quarantined" if progress.quarantined else "")
        + (f", {progress.set_aside} set aside" if progress.set_aside else "")
        + (f", {progress.undistilled} rollouts without one" if progress.undistilled else ""),
        f"verifier and score disagreed in {progress.disagreements} of {progress.verdicts} verdicts",
        f"calls {usage.calls}, retries {usage.retries}, "
        f"tokens {usage.prompt_tokens} in + {usage.completion_tokens} out",
        f"library: {len(library)} experiences in {store_path}",
    ]
    if progress.failed:
        every = "every task failed" if progress.failed == progress.explored else f"{progress.failed} tasks failed"
        lines.append(f"{every}; the first: {progress.errors[0]}")
    return lines
