"""A team of scripted or rule-driven models, and training runs with it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from flex.actor import Actor
from flex.benchmarks import get_benchmark
from flex.critic import Critic
from flex.explib import ExpLib
from flex.files.runlog import RunLog
from flex.memory_retriever import MemoryRetriever
from flex.prompt import Prompts
from flex.reject_sampling import Progress, Team, TrainConfig, train
from flex.testing import RuleModel
from flex.types import Message, Task
from flex.updater import Updater
from flex.verifier import Verifier
from tests.replies import accept, decision, experience, fenced, refuse

MATH = get_benchmark("math")
PROMPTS = Prompts("aime")
CONFIG = TrainConfig(clock=lambda: "2026-01-01T00:00:00", run_name="test")


def make_team(actor, verifier, critic, updater, retriever=None, acceptance="score") -> Team:
    return Team(
        Actor(actor, MATH, PROMPTS),
        Verifier(verifier, MATH, PROMPTS, acceptance),
        Critic(critic, PROMPTS),
        Updater(updater, PROMPTS),
        MemoryRetriever(retriever or RuleModel(lambda _: fenced({"selected": [1]})), PROMPTS),
    )


def simple_team(
    *,
    answer: Callable[[Sequence[Message]], str] | None = None,
    update: Callable[[Sequence[Message]], str] | None = None,
) -> Team:
    """Answers with the number in the question, right for even ones; every experience is inserted."""
    return make_team(
        RuleModel(answer or right_if_even),
        RuleModel(lambda messages: accept() if "(even)" in messages[0]["content"] else refuse()),
        RuleModel(lambda messages: experience(f"method of task {number(messages)}", f"rule {number(messages)}")),
        RuleModel(update or (lambda _: decision("insert"))),
    )


def right_if_even(messages: Sequence[Message]) -> str:
    even = "(even)" in messages[-1]["content"] or "(even)" in messages[0]["content"]
    return f"The answer is {number(messages)}{'' if even else '.5'}"


def number(messages: Sequence[Message]) -> str:
    text = "\n".join(message["content"] for message in messages)
    return text.rsplit("task number ", 1)[1].split()[0]


def make_tasks(count: int) -> list[Task]:
    kinds = ("(even)", "(odd)")
    return [replace(MATH.task(f"task number {n} {kinds[n % 2]}", str(n)), index=n) for n in range(count)]


def run_training(
    folder: Path, team: Team, tasks=None, config: TrainConfig = CONFIG, library: ExpLib | None = None, **more
) -> tuple[Progress, ExpLib]:
    """Train on the tasks (one if none are given), with run folder and library in `folder`."""
    library = library or ExpLib(clock=CONFIG.clock)
    with RunLog(folder / "run") as run:
        run.start({"test": True})
        progress = asyncio.run(
            train(tasks or make_tasks(1), team, library, config, run, folder / "library.json", **more)
        )
    return progress, library
