"""What an evaluation reads and checks before anything is paid for, and what makes a run this run."""

import argparse
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.cli.options import body_sha256
from flex.cli.train import fingerprint
from flex.errors import SettingsError
from flex.files.paths import existing

if TYPE_CHECKING:
    from flex.benchmarks import Benchmark
    from flex.endpoint.cost import Prices
    from flex.evaluation.leakage import Leak
    from flex.evaluation.settings import Setting
    from flex.explib import ExpLib
    from flex.prompt import Prompts
    from flex.types import Task

CHAT_PROMPTS = ("llm_system_prompt",)
AGENT_PROMPTS = ("actor", "agent_system", "agent_out_of_steps")
LIBRARY_PROMPTS = ("memory", "retrieved", "reask")


@dataclass(frozen=True, slots=True)
class Plan:
    """All that was read and checked before anything is paid for."""

    options: argparse.Namespace
    benchmark: "Benchmark"
    tasks: "Sequence[Task]"
    train_tasks: "Sequence[Task]"
    prompts: "Prompts"
    library: "ExpLib | None"
    leaks: "Sequence[Leak]"
    hidden: Mapping[str, Collection[str]]
    hidden_examples: Mapping[str, Collection[str]]
    prices: "Prices"


def make_plan(options: argparse.Namespace, settings: "Sequence[Setting]") -> Plan:
    """Read and check everything the settings need. Raises SettingsError."""
    from flex.benchmarks import get_benchmark
    from flex.endpoint.connection import find_address
    from flex.endpoint.cost import Prices
    from flex.evaluation.leakage import find_leaks, hidden_from
    from flex.prompt import Prompts

    benchmark = get_benchmark(options.task_type)
    path = split_path(options, benchmark)
    options.retrieval = options.retrieval or benchmark.retrieval
    tasks = benchmark.load(path)[: options.samples]
    train_tasks = train_split(options, benchmark, path, needed=any(setting.examples for setting in settings))
    needs_library = any(setting.library in ("own", "shuffled") for setting in settings)
    library = read_library(options, benchmark) if needs_library else None
    leaks = find_leaks(tasks, train_tasks, library, benchmark)
    prompts = Prompts(benchmark.prompts, {"actor": options.actor_prompt, "memory": options.memory_prompt})
    if any(setting.examples for setting in settings):
        examples_shown(options, benchmark, train_tasks)
    for setting in settings:
        prompts.checked(prompt_names(setting, options.executor))
    guarded = () if options.allow_leakage else leaks
    hidden, hidden_examples = hidden_from(guarded), hidden_from(guarded, "train")
    prices = Prices.load(options.prices, find_address(options.base_url))
    return Plan(options, benchmark, tasks, train_tasks, prompts, library, leaks, hidden, hidden_examples, prices)


def split_path(options: argparse.Namespace, benchmark: "Benchmark") -> Path:
    """Where the split lies; --data_path may be the folder that holds it."""
    path = Path(options.data_path)
    return existing(benchmark.split(path, options.split) if path.is_dir() else path, "the split")


def train_split(options: argparse.Namespace, benchmark: "Benchmark", path: Path, *, needed: bool) -> "list[Task]":
    """The train split, for examples and for the leakage guard; none where it is not needed and not there."""
    train_path = options.train_path or benchmark.train_beside(path)
    if train_path == path and needed:
        raise SettingsError("icl needs a train split that is not the test split: give --train_path")
    if train_path == path or not (needed or options.train_path or train_path.exists()):
        return []
    return benchmark.load(existing(train_path, "the train split"))


def read_library(options: argparse.Namespace, benchmark: "Benchmark") -> "ExpLib":
    """The library to consult. Raises SettingsError when there is none, or when it was learned elsewhere."""
    from flex.explib import ExpLib

    if options.memory_path is None:
        raise SettingsError("this setting needs a library: give --memory_path")
    library = ExpLib(existing(options.memory_path, "the library"))
    tasks = (str(task) for experience in library for task in experience.provenance.get("tasks") or ())
    origins = {task.split("-")[0] for task in tasks}
    if origins and benchmark.name not in origins:
        learned = ", ".join(sorted(origins))
        raise SettingsError(f"{options.memory_path} was learned from {learned}, not {benchmark.name}")
    return library


def examples_shown(options: argparse.Namespace, benchmark: "Benchmark", train_tasks: "Sequence[Task]") -> int:
    """How many examples `icl` shows. Raises SettingsError when more are asked for than there are."""
    if options.icl_k and options.icl_k > len(train_tasks):
        raise SettingsError(f"--icl_k {options.icl_k} is more than the {len(train_tasks)} tasks of the train split")
    return options.icl_k or min(benchmark.icl_k, len(train_tasks))


def prompt_names(setting: "Setting", executor: str) -> list[str]:
    """The prompts a setting uses."""
    names = [*AGENT_PROMPTS, f"executor_{executor}"] if setting.agent else [*CHAT_PROMPTS]
    names += ["icl"] if setting.examples else []
    return names + (list(LIBRARY_PROMPTS) if setting.library != "none" else [])


def model_names(options: argparse.Namespace) -> dict[str, str]:
    """The names of the models by role."""
    return {"actor": options.model, "retriever": options.retriever_model or options.model}


def configuration(plan: Plan, setting: "Setting") -> dict[str, Any]:
    """What makes a setting's run this run."""
    from flex.files.runlog import run_config

    options = plan.options
    reads = setting.library != "none"
    own = {"path": str(options.memory_path), "sha256": content_hash(plan.library)} if plan.library else None
    sampling = ("temperature", "max_tokens", "reasoning_effort")
    return run_config(
        models={role: name for role, name in model_names(options).items() if reads or role == "actor"},
        prompts=plan.prompts.checked(prompt_names(setting, options.executor)),
        benchmark=plan.benchmark.name,
        scorer=plan.benchmark.scorer,
        setting=setting.name,
        repeats=options.repeats,
        executor=options.executor if setting.agent else None,
        retrieval=options.retrieval if reads else None,
        icl=icl_settings(plan) if setting.examples else None,
        data=str(options.data_path),
        n=len(plan.tasks),
        tasks=fingerprint(plan.tasks),
        library=own if setting.library in ("own", "shuffled") else None,
        allow_leakage=options.allow_leakage,
        extra_body=body_sha256(options.extra_body),
        **{name: getattr(options, name) for name in sampling},
    )


def icl_settings(plan: Plan) -> dict[str, Any]:
    options = plan.options
    return {
        "k": examples_shown(options, plan.benchmark, plan.train_tasks),
        "selection": options.icl_selection,
        "train": fingerprint(plan.train_tasks),
    }


def content_hash(library: "ExpLib") -> str:
    """A sha256 over all experiences, in order."""
    from flex.files.atomic import json_bytes
    from flex.files.jsonlines import to_jsonable

    return hashlib.sha256(json_bytes(to_jsonable(list(library)))).hexdigest()
