"""The math benchmark: what is read out of a reply, and when two answers are the same."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from flex.benchmarks import get_benchmark
from flex.benchmarks.mathematics.answers import exact
from flex.errors import BenchmarkError
from tests.cpu_time import cpu_seconds_below

math = get_benchmark("math")

EXTRACTED = [
    (r"So the answer is \boxed{42}.", "42"),
    (r"First \boxed{1}, but no: \boxed{2}", "2"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{\frac{\sqrt{2}}{2}} is it", r"\frac{\sqrt{2}}{2}"),
    (r"\boxed{\text{Answer: }\boxed{5}}", "5"),
    (r"\fbox{1} \fboxed{7}", "7"),
    (r"$\boxed {13}$", "13"),
    (r"\boxed{070}", "070"),
    (r"\boxed{ }, so the answer is 9.", "9"),
    (r"\boxed{3} and then cut off: \boxed{4", "3"),
    (r"cut off: the answer is 12, \boxed{1", "12"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed{\left\{1\right.}", r"\left\{1\right."),
    (r"stray } and { braces \boxed{6}", "6"),
    ("\boxed{42}", "42"),  # an agent's string that was not raw: a backspace, then "oxed"
    (r"\\boxed{42}", "42"),
    (r"<answer>5</answer> although \boxed{6}", "6"),
    ("<answer>5</answer> then <answer> 6 </answer>", "6"),
    ("steps ...\n#### 1,234", "1,234"),
    ("#### 5\n#### 6", "6"),
    ("The answer is 42.", "42"),
    ("The answer is: **42**.", "42"),
    ("The final answer is $-7$.", "-7"),
    ("The answer is m+n = 5 + 7 = 12.", "12"),
    ("The answer is 42 because 6 * 7 = 42 and not 43.", "42"),
    ("Answer: 17 apples, of 20.", "17"),
    ("The answer to this problem is 3.5. I used 2 steps.", "3.5"),
    (r"The answer is $\frac{3}{4}$, from 3 of 4.", r"\frac{3}{4}"),
    ("the answer is 5. No wait, the answer is 6.", "6"),
    ("the answer is unclear, maybe 8", "8"),
    ("Hence N = 1,000 and 30 more make 1,030", "1,030"),
    ("somewhere in 3-7", "7"),
    ("x = -7", "-7"),
    ("x = −7", "-7"),
    (r"about \frac{1}{3}", r"\frac{1}{3}"),
    ("1{,}000", "1,000"),
    ("probability 3/8", "3/8"),
    ("it weighs .5", ".5"),
    ("nothing to see", None),
    ("", None),
]

SAME = [
    ("070", "70"),
    ("70", "070"),
    ("70.0", "70"),
    ("70.", "70"),
    ("+70", "70"),
    ("−7", "-7"),
    ("- 7", "-7"),
    ("$42$", "42"),
    (r"\(42\)", "42"),
    ("**42**", "42"),
    (r"\$5", "5"),
    (r"50\%", "50"),
    ("1,234", "1234"),
    ("1{,}234", "1234"),
    (r"1\,234", "1234"),
    ("1 234 567", "1234567"),
    ("12,345.50", "12345.5"),
    (r"\frac{1}{2}", "0.5"),
    (r"\dfrac{1}{2}", "1/2"),
    (r"\tfrac12", "1/2"),
    (r"-\frac{1}{2}", "-0.5"),
    (r"\frac{-1}{2}", "-1/2"),
    (r"\frac{2}{4}", r"\frac{1}{2}"),
    ("1 / 2", ".5"),
    (r"3\frac{1}{2}", "3.5"),
    ("3 1/2", "7/2"),
    ("-3 1/2", "-7/2"),
    (r"\left( 42 \right)", "42"),
    ("{42}", "42"),
    ("x = 5", "5"),
    ("m+n = 5+7 = 12", "12"),
    (r"\text{42}", "42"),
    (r"42\text{ cm}", "42"),
    (r"42\,\mathrm{cm}^2", "42"),
    ("42 square units", "42"),
    ("12 m/s", "12"),
    (r"90^\circ", "90"),
    (r"90^{\circ}", "90"),
    ("90°", "90"),
    ("90 degrees", "90"),
    ("1.2e3", "1200"),
    (r"1.2 \times 10^{3}", "1200"),
    ("1.2 × 10^3", "1200"),
    ("10^3", "1000"),
    ("3*10^-2", "0.03"),
    ("42.", "42"),
    ("[0, 1)", "[0,1)"),
    (r"\left[0,1\right)", "[0, 1)"),
    (r"x^2 + 1", "x^2+1"),
    (r"\dfrac{\pi}{2}", r"\frac{\pi}{2}"),
    (r"\text{Yes}", "yes"),
    ("0", "-0"),
]

DIFFERENT = [
    ("-7", "7"),
    ("7", "-7"),
    ("70", "7"),
    ("0.33", "1/3"),
    ("5x", "5"),
    ("5 x", "5"),
    (r"5\pi", "5"),
    ("5 pi", "5"),
    ("5 million", "5"),
    ("x <= 5", "5"),
    ("x != 5", "5"),
    ("3 or 5", "5"),
    ("1,2", "12"),
    ("(1, 2)", "12"),
    ("2**10", "210"),
    (r"\pm 5", "5"),
    ("5!", "5"),
    ("1/0", "1"),
    (r"\frac{1}{0}", "0"),
    ("", "0"),
    ("   ", "0"),
    (None, "0"),
    ("--5", "5"),
    ("2^10", "210"),
    ("9" * 5000, "9"),
    ("9^9^9^9^9", "9"),
    ("1e999999999", "1"),
    ("10^{10^{10}}", "10"),
    ("(2,3)", "[2,3]"),
]


@pytest.mark.parametrize(("text", "answer"), EXTRACTED)
def test_the_answer_is_found_in_a_reply(text, answer):
    assert math.extract(text) == answer


@pytest.mark.parametrize(("answer", "target"), SAME)
def test_the_same_number_scores_one_however_it_is_written(answer, target):
    assert math.score(answer, target) == 1.0


@pytest.mark.parametrize(("answer", "target"), DIFFERENT)
def test_another_answer_scores_zero(answer, target):
    assert math.score(answer, target) == 0.0


def test_values_are_exact():
    assert exact("0.1") + exact("0.2") == Fraction(3, 10)


@pytest.mark.parametrize(
    "text", [r"\boxed{" * 20_000, "{" * 100_000, "answer is " * 10_000, "1," * 50_000, "<answer>" * 9_000]
)
def test_a_reply_that_repeats_itself_is_read_in_time(text):
    with cpu_seconds_below(2):
        math.extract(text)


def test_an_answer_that_is_no_answer_costs_no_time():
    with cpu_seconds_below(1):
        for answer in ("9**9**9**9", "1e99999999", "(" * 400, r"\frac{" * 60, "1 " * 199, "10^{999}", "a " * 199 + "1"):
            assert math.score(answer, "1") == 0.0


def test_every_published_problem_scores_its_own_target(shared: Path):
    tasks = math.load(shared / "data" / "AIME" / "train.jsonl")
    assert len(tasks) == 49
    assert len({task.id for task in tasks}) == 49
    for task in tasks:
        assert math.score(math.extract(rf"Thus \boxed{{{int(task.target):03d}}}."), task.target) == 1.0
        assert math.score(str(int(task.target) + 1), task.target) == 0.0


def test_a_target_that_cannot_be_compared_is_refused_with_its_line(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join(json.dumps({"question": "q", "answer": a}) for a in ("0", "$ $")))
    with pytest.raises(BenchmarkError, match="line 2: the answer '\\$ \\$' is nothing that can be compared"):
        math.load(path)


def test_numbers_are_accepted_as_targets(tmp_path):
    path = tmp_path / "good.jsonl"
    path.write_text('{"question": "q", "answer": 7}\n')
    assert math.load(path)[0].target == "7"


def test_the_prompts_are_those_for_aime():
    assert (math.name, math.prompts, math.tools()) == ("math", "aime", ())


def test_a_reply_that_repeats_itself_for_pages_is_read_in_time():
    with cpu_seconds_below(2):
        assert math.extract("the answer is " * 200_000 + "42") == "42"
