"""The settings compared (paper, 4.1) and the controls; each is one small object over the same tasks and scorer."""

import random
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from flex.actor import Actor
from flex.benchmarks.base import Benchmark
from flex.errors import SettingsError
from flex.evaluation.reading import LibraryReader, Retriever, ShuffledReader
from flex.explib import ExpLib
from flex.prompt import Prompts
from flex.search.text import rank_texts
from flex.types import Attempt, Model, Retrieval, Task, Trajectory

Solve = Callable[[Task], Awaitable[Attempt]]
Selection = Literal["first", "random", "similar"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What an actor has to go by."""

    name: str
    agent: bool = False
    """A CodeAgent in steps of thought and code, instead of one chat reply."""
    examples: bool = False
    """Solved training tasks stand in the prompt."""
    library: Literal["none", "own", "empty", "shuffled"] = "none"
    """The experience library: an agent reads it by its tool, a chat once before it answers."""


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("vanilla"),
        Setting("icl", examples=True),
        Setting("agent", agent=True),
        Setting("flex", agent=True, library="own"),
        Setting("flex-empty", agent=True, library="empty"),
        Setting("flex-shuffled", agent=True, library="shuffled"),
        Setting("flex-chat", library="own"),
    )
}


def get_setting(name: str) -> Setting:
    """The setting of that name. Raises SettingsError."""
    if name not in SETTINGS:
        raise SettingsError(f"unknown setting '{name}'; choose from {', '.join(SETTINGS)}")
    return SETTINGS[name]


@dataclass(frozen=True, slots=True)
class Resources:
    """What settings are made of, the same for all of them."""

    model: Model
    benchmark: Benchmark
    prompts: Prompts
    retriever: Retriever | None = None
    library: ExpLib | None = None
    hidden: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By task, the experiences that would give its answer away."""
    train_tasks: Sequence[Task] = ()
    hidden_examples: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By task, the training tasks that would give its answer away."""
    icl_k: int = 5
    icl_selection: Selection = "first"
    executor: str = "monty"
    concurrency: int = 10


@contextmanager
def solver(setting: Setting, resources: Resources) -> Iterator[Solve]:
    """The setting as a function from task to attempt. Raises SettingsError when the resources lacks what it needs."""
    reader = _reader(setting, resources)
    if setting.agent:
        from flex.agents.agent_actor import AgentActor  # smolagents takes a second to import

        with AgentActor(
            resources.model,
            resources.benchmark,
            resources.prompts,
            retrieve=reader.read if reader else None,
            executor=resources.executor,
            concurrency=resources.concurrency,
        ) as agent:
            yield lambda task: agent.attempt(Trajectory(task))
        return

    if setting.examples and not resources.train_tasks:
        raise SettingsError(f"setting '{setting.name}' needs the train split: --train_path")
    actor = Actor(resources.model, resources.benchmark, resources.prompts)

    async def answer(task: Task) -> Attempt:
        given = None
        if setting.examples:
            hidden = resources.hidden_examples.get(task.id, ())
            others = [other for other in resources.train_tasks if other.id not in hidden]
            chosen = chosen_examples(task, others, resources.icl_k, resources.icl_selection)
            examples = [replace(other, target=resources.benchmark.example(other)) for other in chosen]
            given = Retrieval(task.question, text=resources.prompts.render("icl", examples=examples))
        elif reader:
            given = await reader.read(task.question, task)
        return await actor.attempt(Trajectory(task), given)

    yield answer


def _reader(setting: Setting, resources: Resources) -> LibraryReader | None:
    if setting.library == "none":
        return None
    if resources.retriever is None or (resources.library is None and setting.library != "empty"):
        raise SettingsError(f"setting '{setting.name}' needs an experience library")
    library = ExpLib() if setting.library == "empty" or resources.library is None else resources.library
    kind = ShuffledReader if setting.library == "shuffled" else LibraryReader
    return kind(resources.retriever, library, resources.hidden)


def chosen_examples(task: Task, train_tasks: Sequence[Task], k: int, selection: Selection) -> list[Task]:
    """The k examples a task is shown: the first of the split, the same k drawn at random, or the most similar ones.

    The task itself is never among them; "first" and "random" are the same for all tasks, so that prefix caches hit.
    """
    others = [other for other in train_tasks if other.question != task.question]
    if selection == "random":
        return random.Random(0).sample(others, min(k, len(others)))
    if selection == "similar":
        return [others[place] for place in rank_texts(task.question, [other.question for other in others], k)]
    return others[:k]
