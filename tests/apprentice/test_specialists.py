"""Apprentices that know one family of reactions."""

import asyncio

import pytest

from flex.apprentice import ApprenticeModel
from flex.apprentice.chemistry.specialists import prior, writes_down
from flex.apprentice.chemistry.wording import TEXTBOOK
from flex.apprentice.endpoint.completions import MODELS
from flex.critic import Critic
from flex.explib import ExpLib
from flex.prompt import Prompts
from flex.types import Attempt, Round, Task, Trajectory, UpdateDecision, Verdict
from flex.updater import Question, Updater

SPECIALISTS = MODELS[2:]
SUZUKI = Task("retro-1", "Cc1ccc(-c2ccccc2)cc1", "Cc1ccc(Br)cc1.OB(O)c1ccccc1")
AMIDE = Task("retro-2", "CC(=O)Nc1ccccc1", "CC(=O)Cl.Nc1ccccc1")


def distilled(model: str, task: Task):
    failed = Trajectory(task, (Round(Attempt("<answer>CCO</answer>", "CCO"), Verdict(False, "no")),))
    return asyncio.run(Critic(ApprenticeModel(model), Prompts("retro")).distill(failed))


@pytest.mark.parametrize(
    ("template", "known_to"),
    [
        ("[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]", "apprentice-acylation"),
        ("[N:1]-[S:4](=[O:2])=[O:3]>>[N:1].[O:2]=[S:4](=[O:3])Cl", "apprentice-acylation"),
        ("[c:1]-[c:2]>>[c:1]B(O)O.[c:2]Br", "apprentice-coupling"),
        ("[N:1]>>[N:1]C(OC(C)(C)C)=O", "apprentice-unmasking"),
    ],
)
def test_a_specialist_knows_and_writes_down_one_family(template, known_to):
    assert [model for model in SPECIALISTS if template in prior(model)] == [known_to]
    assert [model for model in SPECIALISTS if writes_down(model, template)] == [known_to]
    assert writes_down("apprentice", template)
    assert template not in prior("apprentice")


def test_the_textbook_is_what_all_specialists_know():
    parts = [template for model in SPECIALISTS for template in prior(model)]
    assert sorted(parts) == sorted(prior("apprentice-textbook")) == sorted(TEXTBOOK)


def test_a_specialist_distils_its_own_reactions_only():
    assert "RETRO_TEMPLATE" in distilled("apprentice-coupling", SUZUKI).rules[0].rule
    assert "of a family that I do not know" in distilled("apprentice-acylation", SUZUKI).method


def test_of_experiences_without_a_template_one_is_kept():
    library, updater = ExpLib(), Updater(ApprenticeModel("apprentice-unmasking"), Prompts("retro"))
    for task in (SUZUKI, AMIDE):
        experience = distilled("apprentice-unmasking", task)
        question = updater.question(experience, library)
        decision = asyncio.run(updater.answer(question)) if isinstance(question, Question) else question
        assert isinstance(decision, UpdateDecision)
        library.apply(experience, decision)
    assert len(library) == 1
