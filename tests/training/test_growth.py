"""A library that learns the same tasks again and again stays within its caps and repeats nothing."""

import asyncio
from pathlib import Path

from flex.actor import Actor
from flex.apprentice.chemistry.reading import lessons_in
from flex.apprentice.model import ApprenticeModel
from flex.benchmarks import get_benchmark
from flex.critic import Critic
from flex.explib import ExpLib
from flex.files.runlog import RunLog
from flex.library.merging import over_caps
from flex.memory_retriever import MemoryRetriever, index_order
from flex.prompt import Prompts
from flex.reject_sampling import Limits, Team, TrainConfig, train
from flex.updater import Updater
from flex.verifier import Verifier

RETRO = get_benchmark("retro")
PROMPTS = Prompts(RETRO.prompts)
DEMO = Path(__file__).parents[2] / "data" / "retro_demo" / "train.jsonl"
EPOCHS, TASKS = 5, 20


def team(model: ApprenticeModel) -> Team:
    return Team(
        Actor(model, RETRO, PROMPTS),
        Verifier(model, RETRO, PROMPTS),
        Critic(model, PROMPTS),
        Updater(model, PROMPTS),
        MemoryRetriever(model, PROMPTS, select=index_order),
    )


def test_after_five_epochs_no_entry_is_over_its_caps_and_no_template_stands_twice(tmp_path: Path):
    library = ExpLib()
    limits = Limits(max_rollouts=1, max_rounds=1)
    config = TrainConfig(limits, epochs=EPOCHS, batch_size=TASKS, use_library=True)
    with RunLog(tmp_path / "run") as run:
        run.start({})
        work = RETRO.load(DEMO)[:TASKS]
        asyncio.run(train(work, team(ApprenticeModel()), library, config, run, tmp_path / "x.json"))
    templates = [lesson.template for entry in library for lesson in lessons_in([rule.rule for rule in entry.rules])]
    assert len(templates) == len(set(templates)) > 5
    assert [over_caps(entry) for entry in library] == [None] * len(library)
    assert len(library.history()) == EPOCHS * TASKS
    assert [change.number for change in ExpLib(tmp_path / "x.json").history()] == list(range(1, EPOCHS * TASKS + 1))
