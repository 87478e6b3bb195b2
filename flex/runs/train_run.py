"""A whole training run, from a `TrainRun` to its folder and its library."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flex.benchmarks import Benchmark, get_benchmark
from flex.benchmarks.base import fingerprint
from flex.concurrency import Stop
from flex.endpoint.cost import Prices
from flex.errors import Unusable
from flex.explib import ExpLib
from flex.files.runlog import RunLog, run_config
from flex.library.stores import is_database
from flex.prompt import Prompts
from flex.reject_sampling import Limits, Progress, TrainConfig
from flex.reject_sampling import train as learn
from flex.runs.config import TrainRun
from flex.runs.origin import check_origin
from flex.runs.plan import split_of
from flex.runs.setup import Bar, build_team, keeping_replies, make_client, make_model, no_bar, sampling, watch_budget
from flex.runs.start import library_to_train, starting_library
from flex.search.vectors import embedding_models
from flex.telemetry import start_telemetry
from flex.types import Task, Usage

PROMPTS = (
    *("llm_system_prompt", "feedback", "overruled", "verifier", "critic_solved", "critic_failed", "critic_contrast"),
    *("updater", "updater_consolidate", "memory", "retrieved", "reask"),
)


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What came of a training run; everything is on disk as well."""

    library: ExpLib
    progress: Progress
    usage: Mapping[str, Usage]
    """What this call spent, by role."""
    usage_by_model: Mapping[str, Usage]
    save_to: Path
    folder: Path
    stopped: str | None = None
    """Why it ended early, None when it is finished; the same run with the same folder goes on."""

    @property
    def total(self) -> Usage:
        """What this call spent, all roles together."""
        return sum(self.usage.values(), Usage())


async def train(run: TrainRun, *, bar: Bar = no_bar, stop: Stop | None = None) -> TrainResult:
    """Learn from a train split: explore, distil, and grow a library; resumes where the run's folder was left.

    When no task can be done any more (the account is dry, the model gone, the disk full), what there is is kept and
    returned with why it `stopped`; Unusable is raised when it was so from the beginning. Nothing is paid for before
    everything has been checked. Raises SettingsError for what only a person can mend, RunError for a folder of another
    run, LibraryError and BenchmarkError for files that cannot be used.
    """
    stop = stop or Stop()
    benchmark = get_benchmark(run.benchmark)
    benchmark.check_anchors()
    tasks = tasks_of(run, benchmark)
    prompts = Prompts(benchmark.prompts, {"llm_system_prompt": run.llm_system_prompt, "verifier": run.verifier_prompt})
    hashes = prompts.checked([*PROMPTS, "progress"] if benchmark.open_ended else PROMPTS)
    async with make_client(run) as client:
        models = {role: make_model(run.endpoint, client, name, role) for role, name in run.models.items()}
        with RunLog(run.folder) as log, start_telemetry(run.telemetry):
            library = starting_library(run.library, run.store, log)
            if run.library:
                check_origin(library, run.library, benchmark, allow_other=run.allow_other_library)
            if not run.replay:
                await client.check()
            log.start(configuration(run, benchmark, hashes, tasks, library))
            library = library_to_train(library, run.store, log)
            team = build_team(run, benchmark, prompts, models)
            prices = Prices.load(run.budget.prices, client.base_url)
            watch_budget(stop, run.budget, prices, client, run.models | embedding_models(library.config))
            # A JSON file is this run's alone as long as it trains; a database takes the changes of many.
            holding = nullcontext() if is_database(run.store) else library.hold(run.store)
            keeping = keeping_replies(client, run, run.folder)
            with holding, keeping, bar("", len(tasks) * run.epochs, "task") as step:
                progress = Progress(unfinished=len(tasks) * run.epochs)

                def show(latest: Progress) -> None:
                    nonlocal progress
                    progress = latest
                    step({"solved": latest.solved, "library": len(library), "tokens": client.total.tokens})

                config = train_config(run, log)
                try:
                    progress = await learn(tasks, team, library, config, log, run.store, show, stop)
                except Unusable as error:
                    if not log.events("explored"):
                        raise
                    stop.request(str(error))
                    progress.unfinished = progress.unfinished or 1
            if not progress.unfinished:
                counts = asdict(progress)
                renamed = {"set_aside": counts.pop("undecided"), "undistilled": counts.pop("not_distilled")}
                log.write(
                    "finished", notes=client.notes, usage=client.usage, library=library.stats(), **renamed, **counts
                )
    stopped = (stop.reason or "") if progress.unfinished else None
    # The library as it was saved, not the one it began with: to save it again must not touch that one.
    learned = ExpLib(run.store) if run.store.exists() else library.copy() or library
    return TrainResult(
        learned, progress, client.usage, client.usage_by_model, save_to=run.store, folder=run.folder, stopped=stopped
    )


def tasks_of(run: TrainRun, benchmark: Benchmark) -> list[Task]:
    """The tasks to learn from, in the order of the file or of the seed."""
    tasks = benchmark.load(split_of(run.data_path, benchmark, "train"))
    if run.seed is not None:
        random.Random(run.seed).shuffle(tasks)
    tasks = tasks[: run.samples]
    return tasks if run.with_gt else [replace(task, target=None) for task in tasks]


def train_config(run: TrainRun, log: RunLog) -> TrainConfig:
    # What tells this run from others of the same name: its configuration says when it began.
    run_id = hashlib.sha256((log.folder / "config.json").read_bytes()).hexdigest()[:16]
    return TrainConfig(
        limits=Limits(run.max_rollouts, run.max_rounds),
        epochs=run.epochs,
        batch_size=run.batch_size,
        max_concurrent=run.max_concurrent,
        direct_add=run.direct_add,
        speculate=0 if run.replay else run.speculate,  # what was asked ahead of its turn depends on the hour
        contrast=run.contrast,
        use_library=run.use_library,
        run_name=log.folder.name,
        run_id=run_id if is_database(run.store) else "",
    )


def configuration(
    run: TrainRun, benchmark: Benchmark, hashes: Mapping[str, str], tasks: Sequence[Task], library: ExpLib
) -> dict[str, Any]:
    """What makes this run this run."""
    names = ["max_rounds", "max_rollouts", "epochs", "direct_add", "contrast", "use_library", "with_gt", "acceptance"]
    if run.use_library:  # only then does the result depend on how tasks are batched
        names.append("batch_size")
    settings = {"task_type": run.benchmark, **{name: getattr(run, name) for name in names}, **sampling(run.endpoint)}
    retrieval = run.retrieval or benchmark.retrieval
    if run.use_library and retrieval != "hierarchical":  # as runs did that were begun before there was a choice
        settings["retrieval"] = retrieval
    return run_config(
        models=run.models,
        prompts=hashes,
        seed=run.seed,
        data=str(run.data_path or benchmark.folder),
        tasks=fingerprint(tasks),
        library=None if is_database(run.store) else len(library),  # a database has grown when one resumes
        store_path=str(run.store),
        **settings,
    )
