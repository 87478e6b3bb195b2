"""The apprentice on assays: it climbs by the scores it reads, and by nothing else."""

import asyncio
from dataclasses import replace

import pytest

from flex.actor import Actor
from flex.agents.agent_actor import AgentActor
from flex.apprentice import ApprenticeModel
from flex.apprentice.protein.formulas import Scored, columns_of, normalized, terms_of
from flex.apprentice.protein.hill_climbing import best_of, next_formula
from flex.apprentice.protein.prompts import assay_in, formulas_in
from flex.benchmarks import get_benchmark
from flex.critic import Critic
from flex.explib import ExpLib
from flex.files.paths import shipped
from flex.library.merging import over_caps
from flex.memory_retriever import MemoryRetriever, index_order
from flex.prompt import Prompts
from flex.proteins.formula import parse_formula
from flex.reject_sampling import Limits, explore
from flex.types import Attempt, Experience, Round, Rule, Task, Trajectory, UpdateDecision, Verdict
from flex.updater import Updater
from flex.verifier import Verifier

PROTEIN, PROMPTS, MODEL = get_benchmark("protein"), Prompts("protein"), ApprenticeModel()
COLUMNS = ("Fold", "Family (x)", "size")
QUESTION = """Assay: {id}
Protein: P1, 40 residues
Selection type: Stability
Wild type: ACDEF

Columns (name: what it is; lowest, median and highest of all mutants):
- "Fold": score of a model; -2, -1, 0
- "Family (x)": score of a model; -3, -2.5, 1
- "size": change of size; 0, 1, 2

Some labelled mutants (mutant; DMS_score; Fold; Family (x); size):
A1C; 0.5; -1; -2; 1"""
ROUNDS = 40


def attempted(*scored, id="MADE_1"):
    """A rollout of these formulas and scores, with the feedback that the verifier gives."""
    trajectory = Trajectory(Task("protein-1", QUESTION.format(id=id), id))
    for formula, score in scored:
        feedback = PROMPTS.render("progress", score=score, problem="", improved=True, best=score, best_answer=formula)
        attempt = Attempt(f"I try <answer>{formula}</answer>", formula)
        trajectory = trajectory.extended(attempt, Verdict(score > 0, feedback, None, score))
    return trajectory


def distilled(*scored, id="MADE_1"):
    return replace(asyncio.run(Critic(MODEL, PROMPTS).distill(attempted(*scored, id=id))), id="")


def library_of(*experiences):
    library = ExpLib()
    for experience in experiences:
        library.apply(experience, UpdateDecision("insert"))
    return library


def retrieved(library, id="MADE_1"):
    return asyncio.run(MemoryRetriever(MODEL, PROMPTS, select=index_order).retrieve(QUESTION.format(id=id), library))


def attempt(trajectory, retrieval=None):
    return asyncio.run(Actor(MODEL, PROTEIN, PROMPTS).attempt(trajectory, retrieval)).answer


def rollout(task, rounds=ROUNDS, prompts=PROMPTS):
    verifier = Verifier(MODEL, PROTEIN, PROMPTS)
    return asyncio.run(explore(task, Actor(MODEL, PROTEIN, prompts), verifier, Limits(1, rounds)))[0]


def best(trajectory):
    """The formula with the highest score on the labelled mutants."""
    return max(trajectory.rounds, key=lambda seen: seen.verdict.score or -1).attempt.answer


@pytest.fixture(scope="module")
def demo():
    return PROTEIN.load(shipped("data/protein_demo") / "test")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('rank("Family (x)") - 0.5 * z(size) / 3', ["Family (x)", "size"]),
        ("-abs(`Fold`) ** 2", ["Fold"]),
        ("mean(rank('A'), rank('B; C'), rank('A'))", ["A", "B; C"]),
        ("1 + 2", None),
        ("the best column is Fold", None),
        ("exec(Fold)", None),
        ("rank(Fold", None),
        ("rank(Fold))", None),
        ("rank(Fold) +", None),
        ("", None),
    ],
)
def test_a_formula_is_told_from_other_text_by_its_form(text, columns):
    assert columns_of(text) == columns


@pytest.mark.parametrize(
    ("formula", "canonical"),
    [
        ("rank(b) + rank(a)", "rank(a) + rank(b)"),
        ("2 * rank(a) - rank(b)", "rank(a) - 0.5 * rank(b)"),
        ("-3*rank(a)", "-rank(a)"),
        ("rank(a) + rank(b) - rank(b)", "rank(a)"),
        ("0.25 * (z(a) - z(b)) + a * -2", "a * -2 + 0.25 * (z(a) - z(b))"),
        ('rank("x - y") - - rank("b + c")', 'rank("b + c") + rank("x - y")'),
    ],
)
def test_equal_sums_are_written_alike_and_mean_the_same(formula, canonical):
    assert normalized(formula) == normalized(canonical) == canonical
    parse_formula(canonical, ["a", "b", "x - y", "b + c"])


def test_the_columns_of_an_assay_are_read_whatever_their_names():
    assay = assay_in(QUESTION.format(id="MADE_1"))
    assert (assay.id, assay.columns, assay.selection) == ("MADE_1", COLUMNS, "Stability")
    assert assay_in("Assay of caffeine: CN1C=NC2=C1C(=O)N(C(=O)N2C)C") is None


@pytest.mark.parametrize(
    "text",
    [
        'DEMO_1: rank("Fold"), 0.61; in vain: rank(size), -0.20.',
        '   - DEMO_1: rank("Fold"), 0.61; rank(size), -0.2',
        'Best: rank("Fold") with 0.61 (DEMO_1). Then\n- DEMO_1: rank(size), -0.20',
    ],
)
def test_formulas_are_found_in_the_form_that_the_critic_s_prompt_asks_for(text):
    assert formulas_in(text) == [Scored('rank("Fold")', 0.61, "DEMO_1"), Scored("rank(size)", -0.2, "DEMO_1")]


@pytest.mark.parametrize(
    "text", ['"a": score of a model; -3.1, 0.2, 1.5', "A1C; -3.382; -1.824; -0.1326", "x: y, 0.5 z"]
)
def test_numbers_without_a_formula_are_none(text):
    assert formulas_in(text) == []


def test_the_climb_repeats_nothing_and_says_the_same_twice():
    def climbed(hidden):
        tried = {}
        for _ in range(ROUNDS):
            formula = next_formula(COLUMNS, tried, (), "seed")
            assert formula not in tried
            tried[formula] = round(sum(hidden.get(term, 0) * w for term, w in terms_of(formula).items()) / 5, 4)
        return tried

    hidden = {'rank("Fold")': 1.0, 'rank("Family (x)")': -2.0, 'rank("size")': 0.5}
    assert list(climbed(hidden)) == list(climbed(hidden))
    assert max(climbed(hidden), key=climbed(hidden).get) == best_of(climbed(hidden))


def test_a_column_that_ranks_the_wrong_way_round_is_turned_without_a_trial():
    assert best_of({"rank(a)": 0.2, "rank(b)": -0.6, "rank(c)": None}) == "-rank(b)"
    assert best_of({"rank(a)": None}) is None


def test_with_one_column_there_is_an_end_of_what_can_be_tried():
    assert next_formula(["a"], {"rank(a)": 0.1, "-rank(a)": -0.1, 'rank("a")': 0.1, '-rank("a")': -0.1}, (), "s")


def test_a_rollout_under_feedback_beats_the_best_column_and_repeats_no_formula(demo):
    for task in demo:
        trajectory = rollout(task)
        answers = [seen.attempt.answer for seen in trajectory.rounds]
        assert len(set(answers)) == ROUNDS
        metrics = PROTEIN.metrics(best(trajectory), task.target)
        assert PROTEIN.score(best(trajectory), task.target) > metrics["best_column"] + 0.05
        assert answers == [seen.attempt.answer for seen in rollout(task).rounds]


def test_without_feedback_forty_rounds_teach_nothing(demo, tmp_path):
    silent = tmp_path / "feedback.txt"
    silent.write_text("The work goes on: send another formula.")
    rollouts = [rollout(task, prompts=Prompts("protein", {"feedback": silent})) for task in demo]
    scores = [[PROTEIN.score(seen.attempt.answer, t.task.target) for seen in t.rounds] for t in rollouts]
    halves = [sum(sum(row[start : start + 20]) for row in scores) / 20 / len(scores) for start in (0, 20)]
    assert all(abs(half) < 0.2 for half in halves)
    assert max(abs(row[-1]) for row in scores) < 0.7


def test_on_real_assays_forty_rounds_reach_more_than_their_best_columns(shared):
    tasks = PROTEIN.load(shared / "data" / "proteingym")
    answers = [(best(rollout(task)), task.target) for task in tasks]
    reached = [PROTEIN.score(answer, target) for answer, target in answers]
    columns = [PROTEIN.metrics(answer, target)["best_column"] for answer, target in answers]
    assert sum(reached) / len(reached) > max(0.70, sum(columns) / len(columns) + 0.03)


def test_the_critic_writes_the_best_formula_and_what_each_column_did():
    plus = 'rank("Fold") + 0.5 * rank("size")'
    experience = distilled(('rank("Fold")', 0.5), ('-rank("Family (x)")', -0.1), (plus, 0.6),
                           ('rank("Fold") + 0.5 * rank("Family (x)")', 0.45))  # fmt: skip
    assert experience.zone == "golden"
    assert f"Best: {plus} with 0.6000 (MADE_1)" in experience.method
    rules = {rule.rule: rule.examples for rule in experience.rules}
    (helped,) = [rule for rule in rules if 'lacks rank("size"), add it' in rule]
    (useless,) = [rule for rule in rules if 'leave rank("Family (x)") out' in rule]
    assert rules[helped] == (f'MADE_1: rank("Fold"), 0.5000; {plus}, 0.6000',)
    assert "0.4500" in rules[useless][0]
    assert "<comments>" in experience.revised_trajectory
    assert Scored('-rank("Family (x)")', -0.1, "MADE_1") in formulas_in(experience.revised_trajectory)


def test_what_was_measured_in_a_failed_search_is_marked_as_right():
    failed = distilled(('rank("Fold")', -0.5), ('rank("size")', -0.1))
    assert (failed.zone, {rule.kind for rule in failed.rules}) == ("warning", {"instead"})
    assert Scored('-rank("Fold")', 0.5, "MADE_1") in formulas_in(retrieved(library_of(failed)).text)
    assert {rule.kind for rule in distilled(('rank("Fold")', 0.5)).rules} == {None}


def test_a_rollout_that_measured_nothing_teaches_nothing():
    trajectory = attempted()
    for answer in (None, "rank(unknown)"):
        verdict = Verdict(
            False, PROMPTS.render("progress", problem="no", improved=False, best=0, best_answer=None, score=None)
        )
        trajectory = replace(trajectory, rounds=(*trajectory.rounds, Round(Attempt("x", answer), verdict)))
    experience = asyncio.run(Critic(MODEL, PROMPTS).distill(trajectory))
    assert (experience.zone, experience.problem_category) == ("warning", "no lesson")


def test_long_names_do_not_make_an_entry_too_large():
    names = [f"A model with quite a long name, number {n} of many ({'x' * 60})" for n in range(30)]
    sums = [" + ".join(f'{k} * rank("{name}")' for k, name in enumerate(names[: n + 1], 1)) for n in range(30)]
    scored = [(formula, n / 100) for n, formula in enumerate(sums, 1)]
    assert over_caps(distilled(*scored)) is None


def test_the_actor_begins_with_the_best_formula_of_the_assay_and_goes_on_from_there():
    plus = 'rank("Fold") + 0.5 * rank("size")'
    read = retrieved(
        library_of(distilled(('rank("Fold")', 0.5), (plus, 0.6)), distilled(('rank("size")', 0.9), id="B"))
    )
    first = attempt(attempted(), read)
    assert first == plus
    second = attempt(attempted((first, 0.6)), read)
    assert second not in (plus, 'rank("Fold")')


def test_formulas_of_other_assays_come_first_where_their_columns_are_there():
    here, there = 'rank("Fold") - 0.5 * rank("size")', 'rank("Fold") + rank("Elsewhere")'
    read = retrieved(library_of(distilled((here, 0.5), id="B"), distilled((there, 0.9), id="C")), id="A")
    assert attempt(attempted(id="A"), read) == here


def test_an_actor_without_experience_knows_no_sign():
    guesses = [attempt(attempted(id=f"MADE_{n}")) for n in range(40)]
    assert 10 < sum(guess.startswith("-") for guess in guesses) < 30
    assert {columns_of(guess)[0] for guess in guesses} == set(COLUMNS)


@pytest.mark.parametrize(
    ("new", "id", "action"),
    [
        (("rank(size)", 0.9), "MADE_1", "merge"),
        (("rank(size)", 0.1), "MADE_1", "discard"),
        (('rank("Fold")', 0.3), "OTHER_1", "merge"),
        (("rank(size)", 0.3), "OTHER_1", "insert"),
    ],
)
def test_the_updater_keeps_one_entry_for_an_assay_and_for_a_formula(new, id, action):
    known = distilled(('rank("Fold")', 0.5))
    library = library_of(known)
    experience = distilled(new, id=id)
    decided = asyncio.run(Updater(MODEL, PROMPTS).decide(experience, library))
    assert decided.action == action
    library.apply(experience, decided)
    assert len(library) == 1 + (action == "insert")
    if action != "discard":
        answer = attempt(attempted(id=id), retrieved(library, id))
        assert answer == ('rank("Fold")' if id == "OTHER_1" and action == "merge" else "rank(size)")


def test_an_agent_tries_what_it_reads_and_hands_in_the_best(demo):
    task = demo[0]
    model, _, third = (column for column in assay_in(task.question).columns[:3])
    good = f'rank("{model}") + 0.5 * rank("{third}")'
    text = f'Best: rank("{model}") with 0.99 (OTHER_1)\nOTHER_1: {good}, 0.20; rank("Nowhere"), 0.95'
    entry = Experience(method=text, rules=(Rule("As the method says."),), zone="golden", problem_category="protein")

    def handed_in(retrieve):
        with AgentActor(MODEL, PROTEIN, PROMPTS, retrieve=retrieve) as agent:
            return asyncio.run(agent.attempt(Trajectory(task)))

    async def read(query, task):
        return await MemoryRetriever(MODEL, PROMPTS, select=index_order).retrieve(query, library_of(entry))

    made = handed_in(read)
    tried = [f'rank("{model}")', good]
    assert made.answer == max(tried, key=lambda formula: PROTEIN.practice(task, formula))
    assert len(made.steps) == 3
    assert len(columns_of(handed_in(None).answer)) == 1
