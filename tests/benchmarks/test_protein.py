"""The protein benchmark: what is asked, what is read out of a reply, what it scores, and what nobody is told."""

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest
import smolagents

from flex.actor import Actor
from flex.benchmarks.protein import Protein
from flex.critic import Critic
from flex.errors import BenchmarkError, ParseError
from flex.evaluation.leakage import find_leaks
from flex.files.paths import shipped
from flex.prompt import Prompts
from flex.proteins.assays import LABELLED, load_assays
from flex.reject_sampling import Limits, distill, explore
from flex.testing import ScriptedModel
from flex.types import Attempt, Experience, Round, Trajectory, Verdict
from flex.verifier import Verifier
from scripts.make_protein_demo import write_demo
from tests.assay_tables import table, write
from tests.replies import experience

DEMO = shipped("data/protein_demo")


@pytest.fixture
def protein() -> Protein:
    return Protein()


@pytest.fixture
def task(protein, tmp_path):
    return protein.load(write(tmp_path / "assays"))[0]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So <answer>rank(One)</answer>.", "rank(One)"),
        ("<answer>One</answer> or better <answer> One - 1 </answer>", "One - 1"),
        ("<answer>```\nrank(One)\n```</answer>", "rank(One)"),
        ("<answer>\n```python\nrank(One) +\n 2\n```\n</answer>", "rank(One) +\n 2"),
        ("<answer>`rank(One)`</answer>", "rank(One)"),
        ("<answer>`One` - `Two (x)`</answer>", "`One` - `Two (x)`"),
        ("<answer>formula: rank(One)</answer>", "rank(One)"),
        ("<answer>score = rank(One)</answer>", "rank(One)"),
        ("cut off <answer>rank(One)", "rank(One)"),
        ("<answer></answer>", None),
        ("rank(One) without a tag", None),
        ("", None),
    ],
)
def test_the_formula_is_found_in_a_reply(protein, text, answer):
    assert protein.extract(text) == answer


def test_a_question_names_the_assay_and_its_columns_and_shows_some_labelled_mutants(protein, task):
    for part in ("MADE_YEAST_Test", '- "Two (x)": score of a model', '- "proline"', "100 are labelled", "40 residues"):
        assert part in task.question.replace("of which 100", "100")
    assert len(task.question) < 3000


def test_no_question_and_no_tool_names_a_mutant_that_is_not_labelled(protein):
    for path in sorted((DEMO / "train").glob("*.csv")):
        (task,), (assay,) = protein.load(path), load_assays(path)
        describe, attempt, fit = protein.task_tools(task)
        said = "\n".join((task.question, describe(), attempt('rank("Structure-IF")'), fit()))
        shown = {line.split(";")[0] for line in said.partition("Some labelled")[2].splitlines() if ";" in line}
        assert len(shown & {assay.mutants[row] for row in assay.learn}) == 8
        assert not shown & {assay.mutants[row] for row in assay.test}


def test_what_is_practised_on_does_not_depend_on_the_scores_of_the_others(protein, tmp_path):
    lines = table()
    (assay,) = load_assays(write(tmp_path / "a"))
    for row in assay.test:
        lines[row] = re.sub(r",\d+\.0,", f",{row % 7}.0,", lines[row], count=1)
    one, other = protein.load(tmp_path / "a")[0], protein.load(write(tmp_path / "b", lines=lines))[0]
    assert one.question == other.question
    assert one.target != other.target
    assert protein.practice(one, "rank(One)") == protein.practice(other, "rank(One)")
    assert [t() for t in protein.task_tools(one)[::2]] == [t() for t in protein.task_tools(other)[::2]]


def test_the_score_is_spearman_on_the_mutants_that_are_not_labelled(protein, task, tmp_path):
    (assay,) = load_assays(tmp_path / "assays")
    ranks = assay.columns["One"][assay.test].argsort().argsort()
    wanted = np.corrcoef(ranks, assay.scores[assay.test].argsort().argsort())[0, 1]
    assert protein.score("One", task.target) == pytest.approx(wanted, abs=0.01)
    assert protein.score("-One", task.target) == -protein.score("One", task.target)
    assert protein.score("rank(One) ** 3", task.target) == pytest.approx(protein.score("One", task.target))


@pytest.mark.parametrize("answer", [None, "", "7", "charge * 0", "One +", "nothing", "1 / proline", "z(0 * One)"])
def test_an_answer_that_ranks_nothing_scores_nothing(protein, task, answer):
    assert protein.score(answer, task.target) == 0.0
    assert not protein.correct(0.0, answer, task.target)
    assert protein.metrics(answer, task.target)["valid"] in (0.0, 1.0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "there is no formula: it has to stand between <answer> and </answer>"),
        ("0 * One", "the formula is constant"),
        ("Three", "unknown column 'Three'; there is"),
        ("1 / proline", "division by zero"),
    ],
)
def test_practice_says_what_is_wrong_with_an_answer(protein, task, answer, message):
    with pytest.raises(ParseError, match=message):
        protein.practice(task, answer)


def test_a_formula_is_right_when_it_beats_the_best_single_column(protein, task):
    best = protein.metrics("One", task.target)["best_column"]
    assert best == protein.score('-"Two (x)"', task.target)
    assert protein.correct(best + 0.001, "", task.target)
    assert not protein.correct(best, "", task.target)


def test_an_assay_that_was_not_loaded_is_named(protein, task):
    with pytest.raises(BenchmarkError, match=r"the assay 'MADE_YEAST_Test@.*' was not loaded"):
        Protein().score("One", task.target)


def explored(protein, task, *lines, rounds=4):
    model, prompts = ScriptedModel(*lines), Prompts("protein")
    actor, verifier = Actor(model, protein, prompts), Verifier(ScriptedModel(), protein, prompts)
    return asyncio.run(explore(task, actor, verifier, Limits(2, rounds))), model


def test_a_rollout_goes_on_improving_until_its_rounds_are_used_up(protein, task):
    lines = [f"<answer>{formula}</answer>" for formula in ("One", "hydropathy", '-"Two (x)"', "One - 1")]
    (trajectory,), _ = explored(protein, task, *lines)
    assert [r.verdict.accepted for r in trajectory.rounds] == [True, False, True, False]
    assert trajectory.solved
    assert all(r.verdict.accepted_by_verifier is None for r in trajectory.rounds)


def test_the_feedback_tells_the_score_of_this_formula_and_the_best_so_far(protein, task):
    lines = ["<answer>One</answer>", "<answer>volume</answer>", "<answer>1 / charge</answer>", "I give up"]
    (trajectory,), model = explored(protein, task, *lines)
    first, second, third, fourth = (r.verdict.feedback for r in trajectory.rounds)
    score = f"{protein.practice(task, 'One'):.4f}"
    assert first == f"Score {score} on what is known of this task: the best so far.\nBest so far: {score} by One"
    assert "no improvement" in second
    assert second.endswith(f"Best so far: {score} by One")
    assert "division by zero" in third
    assert "there is no formula" in fourth
    assert first in model.asked[1][-1]["content"]


def test_without_an_improvement_there_is_another_rollout_and_no_best(protein, task):
    trajectories, _ = explored(protein, task, *["<answer>-One</answer>"] * 4, rounds=2)
    assert [t.solved for t in trajectories] == [False, False]
    assert "Best so far: nothing with a score above 0." in trajectories[0].rounds[-1].verdict.feedback


def test_the_score_of_an_experience_s_rollout_knows_only_labelled_mutants(protein, task):
    (trajectory,), _ = explored(protein, task, "<answer>One</answer>", rounds=1)
    assert trajectory.rounds[0].verdict.score == protein.practice(task, "One") != protein.score("One", task.target)


def test_a_rollout_that_improved_becomes_a_golden_experience(protein, task):
    rounds = (
        Round(Attempt("<answer>One</answer>", "One"), Verdict(True, "Score 0.9", None, 0.9)),
        Round(Attempt("<answer>volume</answer>", "volume"), Verdict(False, "no improvement", None, 0.1)),
    )
    critic = Critic(ScriptedModel(experience()), Prompts("protein"))
    (made,) = asyncio.run(distill(task, [Trajectory(task, rounds)], critic)).experiences
    assert made.zone == "golden"
    assert "formula" in critic.model.asked[0][0]["content"]


def test_the_tools_say_how_columns_and_formulas_do_on_the_labelled_mutants(protein, task):
    describe, attempt, fit = (smolagents.tool(function) for function in protein.task_tools(task))
    assert [tool.name for tool in (describe, attempt, fit)] == ["describe_columns", "try_formula", "fit_ridge"]
    assert describe().startswith('Spearman -1.000 - "Two (x)"')
    assert f"Spearman {protein.practice(task, 'One'):.4f} on the {LABELLED} labelled mutants" in attempt(formula="One")
    assert attempt(formula="Three").startswith("The formula cannot be used: unknown column 'Three'")
    formula, _, said = fit(columns="One, proline").partition("\n")
    assert protein.practice(task, formula) > 0.9
    assert said.startswith("cross-validated Spearman 0.9")
    assert "no column 'Three'" in fit(columns="Three")


def test_a_ridge_formula_beats_the_best_column_on_the_demo_and_is_what_an_example_shows(protein):
    for task in protein.load(DEMO / "test"):
        formula = protein.example(task)
        assert protein.correct(protein.score(formula, task.target), formula, task.target)


def test_the_means_are_those_of_proteingym(protein):
    tasks = protein.load(DEMO / "test")
    means = protein.aggregates({task.target: score for task, score in zip(tasks, (0.2, 0.4, 0.9), strict=True)})
    assert means == pytest.approx({"proteingym": 0.5, "proteingym Activity": 0.4,
                                   "proteingym OrganismalFitness": 0.9, "proteingym Stability": 0.2})  # fmt: skip


def test_the_same_assay_gives_nothing_away_but_the_same_protein_with_other_labels_does(protein, tmp_path):
    """What may be learned of an assay stands in its question; another table of the protein may label other mutants."""
    test = protein.load(write(tmp_path / "test")) + protein.load(write_other(tmp_path / "test"))
    again, twin = protein.load(tmp_path / "test" / "MADE_YEAST_Test.csv"), protein.load(
        write(tmp_path / "twin", name="MADE_YEAST_Other", lines=table()[5:]))  # fmt: skip
    learned = [Experience("m", id="same", provenance={"tasks": [again[0].id]}),
               Experience("m", id="twin", provenance={"tasks": [twin[0].id]})]  # fmt: skip
    assert find_leaks(test, again, learned[:1], protein) == []
    leaks = find_leaks(test, [*again, *twin], learned, protein)
    assert {(leak.task_id, leak.place, leak.where) for leak in leaks} == {
        (test[0].id, "train", twin[0].id), (test[0].id, "library", "twin")}  # fmt: skip


def write_other(folder: Path) -> Path:
    return write(
        folder / "other", name="MADE_ELSE", lines=[line.replace("ACDEFGHIKL", "ACDEFGHIKK") for line in table()]
    )


def test_the_demo_is_written_again_byte_for_byte(tmp_path):
    write_demo(tmp_path)
    files = sorted(path.relative_to(DEMO) for path in DEMO.rglob("*.csv"))
    assert len(files) == 7
    assert all((tmp_path / file).read_bytes() == (DEMO / file).read_bytes() for file in files)


def test_the_points_of_the_report_are_prediction_and_measurement_of_mutants_that_are_not_labelled(
    protein, task, tmp_path
):
    (assay,) = load_assays(tmp_path / "assays")
    points = protein.points("One * 2", task.target)
    assert len(points) == len(assay.test)
    assert points[0] == (2 * assay.columns["One"][assay.test[0]], assay.scores[assay.test[0]])
    assert protein.points("nothing", task.target) == ()
