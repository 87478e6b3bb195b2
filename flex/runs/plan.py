"""What an evaluation reads and checks before anything is paid for, and what makes a run this run."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flex.benchmarks import Benchmark, get_benchmark
from flex.benchmarks.base import fingerprint
from flex.endpoint.connection import find_address
from flex.endpoint.cost import Prices
from flex.errors import SettingsError
from flex.evaluation.leakage import Leak, find_leaks, hidden_from
from flex.evaluation.settings import Setting
from flex.explib import ExpLib
from flex.files.atomic import json_bytes
from flex.files.jsonlines import to_jsonable
from flex.files.paths import existing, here_or_shipped
from flex.files.runlog import run_config
from flex.prompt import Prompts
from flex.runs.config import EvalRun
from flex.runs.origin import check_origin
from flex.runs.setup import sampling
from flex.search.vectors import embedding_models
from flex.types import Task

CHAT_PROMPTS = ("llm_system_prompt",)
AGENT_PROMPTS = ("actor", "agent_system", "agent_out_of_steps")
LIBRARY_PROMPTS = ("memory", "retrieved", "reask")


@dataclass(frozen=True, slots=True)
class Plan:
    """All that was read and checked before anything is paid for."""

    run: EvalRun
    benchmark: Benchmark
    tasks: Sequence[Task]
    train_tasks: Sequence[Task]
    prompts: Prompts
    library: ExpLib | None
    leaks: Sequence[Leak]
    hidden: Mapping[str, Collection[str]]
    """By task, the experiences that would give its answer away."""
    hidden_examples: Mapping[str, Collection[str]]
    prices: Prices

    @property
    def models(self) -> dict[str, str]:
        """The names of the models by role, that of the library's vectors too."""
        return self.run.models | (embedding_models(self.library.config) if self.library else {})

    @property
    def retrieval(self) -> str:
        return self.run.retrieval or self.benchmark.retrieval

    @property
    def examples_shown(self) -> int:
        return self.run.icl_k or min(self.benchmark.icl_k, len(self.train_tasks))


def make_plan(run: EvalRun, settings: Sequence[Setting]) -> Plan:
    """Read and check everything the settings need. Raises SettingsError."""
    benchmark = get_benchmark(run.benchmark)
    benchmark.check_anchors()
    path = split_of(run.data_path, benchmark, run.split)
    tasks = benchmark.load(path)[: run.samples]
    with_examples = any(setting.examples for setting in settings)
    train_tasks = train_split(run, benchmark, path, needed=with_examples)
    needs_library = any(setting.library in ("own", "shuffled") for setting in settings)
    library = read_library(run, benchmark) if needs_library else None
    leaks = find_leaks(tasks, train_tasks, library, benchmark)
    prompts = Prompts(benchmark.prompts, {"actor": run.actor_prompt, "memory": run.memory_prompt})
    if with_examples and run.icl_k and run.icl_k > len(train_tasks):
        raise SettingsError(f"--icl_k {run.icl_k} is more than the {len(train_tasks)} tasks of the train split")
    for setting in settings:
        prompts.checked(prompt_names(setting, run.executor))
    guarded = () if run.allow_leakage else leaks
    hidden, hidden_examples = hidden_from(guarded), hidden_from(guarded, "train")
    prices = Prices.load(run.budget.prices, find_address(run.base_url))
    return Plan(run, benchmark, tasks, train_tasks, prompts, library, leaks, hidden, hidden_examples, prices)


def split_of(data_path: Path | None, benchmark: Benchmark, name: str) -> Path:
    """Where a split lies: a file, or in a folder of splits, by default the benchmark's. Raises SettingsError."""
    path = here_or_shipped(data_path or benchmark.folder)
    if path.is_dir() or data_path is None:
        path = benchmark.split(path, name)
    return existing(path, f"the {name} split", benchmark.source)


def train_split(run: EvalRun, benchmark: Benchmark, path: Path, *, needed: bool) -> list[Task]:
    """The train split, for examples and for the leakage guard; none where it is not needed and not there."""
    train_path = run.train_path or benchmark.train_beside(path)
    if train_path == path and needed:
        raise SettingsError("icl needs a train split that is not the test split: give --train_path")
    if train_path == path or not (needed or run.train_path or train_path.exists()):
        return []
    return benchmark.load(existing(train_path, "the train split", benchmark.source))


def read_library(run: EvalRun, benchmark: Benchmark) -> ExpLib:
    """The library to consult. Raises SettingsError when there is none, or when it was learned elsewhere."""
    if run.library is None:
        raise SettingsError("this setting needs a library: give --library")
    library = ExpLib(existing(here_or_shipped(run.library), "the library"))
    check_origin(library, run.library, benchmark, allow_other=run.allow_other_library)
    return library


def prompt_names(setting: Setting, executor: str) -> list[str]:
    names = [*AGENT_PROMPTS, f"executor_{executor}"] if setting.agent else [*CHAT_PROMPTS]
    names += ["icl"] if setting.examples else []
    return names + (list(LIBRARY_PROMPTS) if setting.library != "none" else [])


def configuration(plan: Plan, setting: Setting) -> dict[str, Any]:
    """What makes a setting's run this run."""
    run = plan.run
    reads = setting.library != "none"
    own = None
    if plan.library:
        content = json_bytes(to_jsonable(list(plan.library)))
        own = {"path": str(run.library), "sha256": hashlib.sha256(content).hexdigest()}
    examples = {"k": plan.examples_shown, "selection": run.icl_selection, "train": fingerprint(plan.train_tasks)}
    return run_config(
        models={role: name for role, name in run.models.items() if reads or role == "actor"},
        prompts=plan.prompts.checked(prompt_names(setting, run.executor)),
        benchmark=plan.benchmark.name,
        scorer=plan.benchmark.scorer,
        setting=setting.name,
        repeats=run.repeats,
        executor=run.executor if setting.agent else None,
        retrieval=plan.retrieval if reads else None,
        icl=examples if setting.examples else None,
        data=str(run.data_path or here_or_shipped(plan.benchmark.folder)),
        n=len(plan.tasks),
        tasks=fingerprint(plan.tasks),
        library=own if setting.library in ("own", "shuffled") else None,
        allow_leakage=run.allow_leakage,
        primary=run.primary,
        margin=run.margin,
        **sampling(run.endpoint),
    )
