import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flex.benchmarks import get_benchmark
from flex.cli import main as flex
from flex.evaluation.leakage import counts, find_leaks, hidden_from, table
from flex.explib import ExpLib
from flex.text import words
from flex.types import Experience, Rule

MATH, RETRO = get_benchmark("math"), get_benchmark("retro")

FENCE = (
    "A farmer has $240$ metres of fence and shuts in a rectangular meadow whose long side is $3$ times its short one, "
    "leaving a gate of $8$ metres open. Find the area of the meadow in square metres."
)
REWORDED = (
    "A farmer with 240 metres of fence encloses a rectangular meadow whose long side is three times its short one, "
    "leaving a gate of 8 metres. What is the area of the meadow, in square metres?"
)
BALLS = "An urn holds 14 red and 9 blue balls. Three are drawn without putting any back. How likely are 2 red ones?"
NOTES = "Facts: the farmer has 240 metres of fence; long side is 3 times the short side; a gate of 8 metres stays open."
PRODUCT, REACTANTS = "CC(=O)Nc1ccccc1C", "Cc1ccccc1N.CC(=O)Cl"


def math_task(question, target="2883"):
    return MATH.task(question, target)


def entry(trajectory="", examples=(), **values):
    rules = (Rule("a rule", tuple(examples)),)
    return Experience(method="a method", rules=rules, revised_trajectory=trajectory, id="e1", **values)


def kinds(task, *, train=(), experience=None, benchmark=MATH):
    return [leak.kind for leak in find_leaks([task], train, [experience] if experience else [], benchmark)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Find $n^2 + 1{,}5$", "find n^2+1,5 "),
        (r"Let $\overline{AB}=\sqrt{11}$.", "let AB = √11"),
        ("She has 1,000 apples", "She has 1000 apples."),
        ("She has two apples", "she has 2 apples"),
        ("x²", "x^2"),
        ("0.50", ".5"),
    ],
)
def test_notation_is_folded(one, other):
    assert words(one) == words(other)
    assert MATH.fingerprint(one) == MATH.fingerprint(other)


@pytest.mark.parametrize(("one", "other"), [("7 apples", "8 apples"), ("two apples", "three apples"), ("3.1", "31")])
def test_numbers_are_kept(one, other):
    assert MATH.fingerprint(one) != MATH.fingerprint(other)


def test_the_same_question_in_the_train_split_is_found_in_other_typography():
    other = math_task(FENCE.replace("$", "").upper())
    assert kinds(math_task(FENCE), train=[other]) == ["exact"]


def test_a_lightly_reworded_question_is_found():
    assert kinds(math_task(FENCE), train=[math_task(REWORDED)]) == ["near"]
    assert kinds(math_task(REWORDED), train=[math_task(FENCE)]) == ["near"]


@pytest.mark.parametrize(("old", "new"), [("240", "260"), ("$3$", "four"), ("$8$", "$5$")])
def test_the_same_question_with_other_numbers_is_another(old, new):
    varied = FENCE.replace(old, new)
    assert kinds(math_task(FENCE), train=[math_task(varied)]) == []
    assert kinds(math_task(FENCE), experience=entry(varied)) == []


def test_another_question_is_no_leak():
    assert kinds(math_task(FENCE), train=[math_task(BALLS)], experience=entry(BALLS)) == []


def test_a_phrase_that_many_questions_share_proves_nothing():
    phrase = "The result is m over n where m and n are relatively prime positive integers. Find m plus n."
    starts = [
        "A coin is tossed 9 times and shows heads at most twice with a chance that we write in lowest terms.",
        "Some cube of side 9 is cut by the plane through three corners into two bodies whose volumes we compare.",
        "Around a circle of radius 9 rolls a smaller one until both marked dots touch again after full turns.",
        "Let every vertex of a polygon with 9 sides be joined to each other vertex by a straight red string.",
    ]
    tasks = [math_task(f"{start} {phrase}") for start in starts]
    assert find_leaks(tasks[:2], tasks[2:], [entry(f"He walks 9 miles north on Monday. {phrase}")], MATH) == []


@pytest.mark.parametrize("place", ["trajectory", "example", "method", "category"])
def test_a_quoted_question_is_found_wherever_an_actor_reads_it(place):
    experience = {
        "trajectory": entry(f"Problem: {FENCE}\nSo we write"),
        "example": entry(examples=("another", FENCE)),
        "method": Experience(method=f"As in: {FENCE}", id="e1"),
        "category": Experience(method="m", problem_category=FENCE, id="e1"),
    }[place]
    assert kinds(math_task(FENCE), experience=experience) == ["exact"]


def test_a_question_told_in_other_words_is_found_by_its_answer_and_numbers():
    assert kinds(math_task(FENCE), experience=entry(NOTES + " The area is 2883.")) == ["answer"]
    assert kinds(math_task(FENCE), experience=entry(NOTES)) == []
    assert kinds(math_task(FENCE), experience=entry("The area of the meadow is 2883 square metres.")) == []


def test_an_answer_that_stands_in_the_question_proves_nothing():
    assert kinds(math_task(FENCE, "240"), experience=entry(NOTES)) == []


def test_a_number_alone_hides_nothing():
    assert kinds(math_task(BALLS, "204"), experience=entry("The answer is 204, from 14 and 9 and 2 and 3.")) == []


def test_a_long_text_answer_is_found_word_for_word():
    task = math_task("Which theorem is it?", "every bounded sequence has a convergent subsequence")
    assert kinds(task, experience=entry("Recall: every bounded sequence has a convergent subsequence.")) == ["answer"]
    assert kinds(task, experience=entry("Every bounded monotone sequence has a limit.")) == []


def test_a_text_answer_of_many_tasks_is_no_secret():
    answer = "there is not enough information"
    tasks = [math_task("How old is Ann?", answer), math_task("How tall is Bob?", answer)]
    assert find_leaks(tasks, [], [entry(f"Then say: {answer}")], MATH) == []


def test_what_was_learned_from_the_task_is_found_by_its_id():
    task = math_task(FENCE)
    assert kinds(task, experience=entry(provenance={"tasks": ["math-0000000000", task.id]})) == ["provenance"]
    assert kinds(task, experience=entry(provenance={"tasks": [f"{task.id}-2"]})) == ["provenance"], "a repetition"
    assert kinds(task, experience=entry(provenance={"tasks": task.id})) == ["provenance"]
    assert kinds(task, experience=entry(provenance={"tasks": ["math-0000000000"]})) == []


def test_what_was_learned_from_a_duplicate_in_the_train_split_is_hidden_too():
    task, twin = math_task(FENCE), math_task(REWORDED)
    leaks = find_leaks([task], [twin], [entry(provenance={"tasks": [twin.id]})], MATH)
    assert [(leak.kind, leak.place) for leak in leaks] == [("near", "train"), ("provenance", "library")]
    assert hidden_from(leaks) == {task.id: frozenset({"e1"})}


def test_without_library_and_train_split_there_is_nothing_to_find():
    assert find_leaks([math_task(FENCE)], [], None, MATH) == []
    assert find_leaks([], [math_task(FENCE)], [entry(FENCE)], MATH) == []
    assert hidden_from([]) == {}


@pytest.mark.parametrize(
    "text",
    [
        "EXAMPLE: Cc1ccccc1NC(C)=O <- ...",
        "the product (CC(=O)Nc1c(C)cccc1), an amide",
        "`[CH3]C(=O)Nc1ccccc1[CH3:7]`.",
        "A.B>>Cc1ccccc1NC(C)=O",
        '{"product": "Cc1ccccc1NC(C)=O"}',
    ],
)
def test_a_product_is_found_in_any_notation(text):
    assert kinds(RETRO.task(PRODUCT, REACTANTS), experience=entry(text), benchmark=RETRO) == ["exact"]


@pytest.mark.parametrize(
    "text",
    [
        "<answer>CC(=O)Cl.Nc1ccccc1C</answer>",
        "O=C(C)Cl + Cc1ccccc1N gives the amide",
        "take `Cc1ccccc1N` and `CC(Cl)=O`.",
        "CCO, Cc1ccccc1N, CC(Cl)=O",
        "CC(=O)Cl.Nc1ccccc1C>>?",
    ],
)
def test_reactants_are_found_in_any_notation_and_order(text):
    assert kinds(RETRO.task(PRODUCT, REACTANTS), experience=entry(text), benchmark=RETRO) == ["answer"]


@pytest.mark.parametrize(
    "text",
    [
        "CC(=O)Cl",
        "Cc1ccccc1N stands in one case.\nIn another it is CC(=O)Cl",
        "an acyl chloride and an aniline",
        "C.N.O",
    ],
)
def test_common_reactants_one_by_one_are_no_leak(text):
    assert kinds(RETRO.task(PRODUCT, REACTANTS), experience=entry(text), benchmark=RETRO) == []


def test_stereo_counts_in_a_fingerprint():
    assert RETRO.fingerprint("C[C@H](N)O") != RETRO.fingerprint("C[C@@H](N)O")
    assert RETRO.fingerprint(r"F/C=C/F") in RETRO.quoted(r'"F\\C=C\\F"'), "backslashes doubled by JSON"


def test_retro_tasks_are_compared_by_structure():
    test, train = RETRO.task(PRODUCT, REACTANTS), RETRO.task("Cc1ccccc1NC(C)=O", REACTANTS)
    assert kinds(test, train=[train], benchmark=RETRO) == ["exact"]
    assert kinds(test, train=[RETRO.task("CC(=O)Nc1ccccc1CC", REACTANTS)], benchmark=RETRO) == []


def test_degenerate_texts_take_no_time():
    text = "C" + "." * 200_000 + " " + "(" * 100_000 + ")" * 100_000 + " " + "C, " * 20_000 + "1," * 100_000
    started = time.process_time()
    kinds(RETRO.task(PRODUCT, REACTANTS), experience=entry(text), benchmark=RETRO)
    kinds(math_task(FENCE), experience=entry(text))
    assert time.process_time() - started < 5


def test_an_excerpt_shows_the_place_on_one_line_and_harmlessly():
    [leak] = find_leaks([math_task(FENCE)], [], [entry(f"Nothing here.\n\x1b[31m {FENCE}\x07")], MATH)
    assert leak.excerpt.isprintable()
    assert "a gate of $8$" in leak.excerpt
    assert str(leak).startswith(f"{leak.task_id}: exact in experience e1 (1.00): ")


def test_the_table_has_a_line_per_leak_and_the_counts_say_how_many():
    leaks = find_leaks([math_task(FENCE)], [math_task(REWORDED)], [entry(FENCE)], MATH)
    lines = table(leaks).splitlines()
    assert lines[0].split() == ["task", "kind", "where", "similarity", "excerpt"]
    assert [line.split()[1] for line in lines[1:]] == ["near", "exact"]
    expected = "1 of 1 tasks are given away by 1 of 7 experiences, 1 by the 1 training tasks: 1 exact, 1 near"
    assert counts(leaks, 1, 7, 1) == expected
    assert counts([], 3, 7) == "0 of 3 tasks are given away by 0 of 7 experiences"


def made_up(count, seed):
    """Word problems of 40 made-up words and 3 numbers."""
    rng = random.Random(seed)
    vocabulary = [f"w{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}" for i in range(600)]
    return [
        " ".join((*rng.choices(vocabulary, k=40), *(f"{rng.randrange(100)} things" for _ in range(3))))
        for _ in range(count)
    ]


def test_a_large_split_against_a_large_library_takes_seconds_and_is_deterministic():
    questions, others = made_up(1319, 0), made_up(1900, 1)
    tasks = [math_task(question) for question in questions]
    library = [
        Experience(method=other, revised_trajectory=f"{other} {others[n - 1]} " * 3, id=f"e{n}")
        for n, other in enumerate(others)
    ]
    library += [Experience(method="m", revised_trajectory=f"so {questions[n]}", id=f"leak{n}") for n in range(4)]
    started = time.process_time()
    leaks = find_leaks(tasks, tasks[:10], library, MATH)
    assert time.process_time() - started < 10
    assert [leak.where for leak in leaks if leak.place == "library"] == [f"leak{n}" for n in range(4)]
    assert find_leaks(tasks[:50], [], library, MATH) == [leak for leak in leaks if leak.place == "library"]


def flex_audit(*args):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "flex", "audit", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)


def test_the_demo_library_holds_nothing_of_the_demo_test_split():
    done = flex_audit("exps/retro_demo.json", "--against", "data/retro_demo/test.jsonl", "--task_type", "retro",
                      "--train", "data/retro_demo/train.jsonl")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"0 of 100 tasks .* 0 of \d+ experiences, 0 by the 50 training tasks\n", done.stdout)


def test_audit_prints_a_table_or_json(tmp_path, capsys):
    library = ExpLib()
    library.add(Experience(method="m", revised_trajectory=FENCE))
    library.save(tmp_path / "lib.json")
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": FENCE, "answer": "2883"}))
    args = (tmp_path / "lib.json", "--against", tmp_path / "test.jsonl", "--task-type", "math")
    assert flex(["audit", *map(str, args)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 tasks are given away by 1 of 1 experiences: 1 exact"
    assert flex(["audit", *map(str, args), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tasks"], found["experiences"], found["leaks"][0]["kind"]) == (1, 1, "exact")


def test_audit_says_what_is_missing(tmp_path, capsys):
    assert flex(["audit", str(tmp_path / "none.json"), "--against", "x.jsonl", "--task_type", "math"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "none.json does not exist" in said


@pytest.mark.parametrize(("name", "split"), [("math", "AIME"), ("retro", "uspto50k")])
def test_no_false_alarm_among_real_tasks(shared, name, split):
    benchmark = get_benchmark(name)
    tasks = benchmark.load(shared / f"data/{split}/train.jsonl")
    leaks = find_leaks(tasks, tasks, None, benchmark)
    assert [(leak.task_id, leak.kind) for leak in leaks] == [(task.id, "exact") for task in tasks]
    assert {leak.task_id == leak.where for leak in leaks} == {True}


@pytest.mark.parametrize(
    ("name", "split", "library", "least"),
    [
        ("math", "AIME", "aime_claude", 34),
        ("retro", "uspto50k", "retro_gpt", 49),
        ("math", "AIME", "retro_gpt", 0),
        ("retro", "uspto50k", "aime_claude", 0),
    ],
)
def test_published_libraries_give_away_what_they_were_learned_from_and_nothing_else(
    shared, name, split, library, least
):
    benchmark = get_benchmark(name)
    tasks = benchmark.load(shared / f"data/{split}/train.jsonl")
    experiences = list(ExpLib(shared / f"exps/{library}.json"))
    leaks = find_leaks(tasks, [], experiences, benchmark)
    assert len({leak.task_id for leak in leaks}) == len({leak.where for leak in leaks}) == len(leaks) == least
