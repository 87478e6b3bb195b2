r"""The gsm8k benchmark: official rows, and what is read out of the replies that models give to them."""

import json
import re
from pathlib import Path

import pytest

from flex.benchmarks import get_benchmark
from flex.benchmarks.mathematics.answers import exact
from flex.errors import BenchmarkError

gsm8k = get_benchmark("gsm8k")

RIGHT = [
    # the official form
    ("Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n48+24 = <<48+24=72>>72\n#### 72", "72"),
    ("#### 72", "72"),
    ("####72", "72"),
    ("#### 1,080", "1080"),
    ("#### $1,080", "1080"),
    ("#### 72 clips", "72"),
    ("#### 72.", "72"),
    ("#### 72.00", "72"),
    ("#### **72**", "72"),
    ("#### -3", "-3"),
    ("#### 5\n\nWait, May is half of that.\n\n#### 72", "72"),
    ("#### 18 dollars per day", "18"),
    ("#### 0.5", "0.5"),
    ("#### 1/2", "0.5"),
    ("#### 75%", "75"),
    ("#### The answer is 72", "72"),
    ("#### Final Answer: 72", "72"),
    ("#### Answer\n72", "72"),
    ("#### Step 1: Add\n3 + 4 = 7\n#### Step 2: Double\n7 * 2 = 14\n#### 14", "14"),
    ("#### Step 1\nShe has 3 left.\n#### Step 2\nShe needs 11 more.\n\nThe answer is 11.", "11"),
    ("### Solution\nShe has 3.\n### Answer\n9", "9"),
    ("#### 12 (that is 3 boxes of 4)", "12"),
    ("#### 1 080", "1080"),
    ("#### 72\n<|endoftext|>", "72"),
    # boxed
    (r"\boxed{72}", "72"),
    (r"$\boxed{72}$", "72"),
    (r"\[\boxed{72}\]", "72"),
    (r"\boxed{\$72}", "72"),
    (r"\boxed{72\text{ clips}}", "72"),
    (r"\boxed{72 \text{ clips}}", "72"),
    (r"\boxed{\text{72 clips}}", "72"),
    (r"\boxed{72\ \text{miles per hour}}", "72"),
    (r"\boxed{1{,}080}", "1080"),
    (r"\boxed{1,080}", "1080"),
    (r"\boxed{1\,080}", "1080"),
    (r"\boxed{72.00}", "72"),
    (r"\boxed{75\%}", "75"),
    (r"\boxed{\frac{1}{2}}", "0.5"),
    (r"\boxed{\dfrac{3}{4}}", "3/4"),
    (r"\boxed{x = 72}", "72"),
    (r"\boxed{48 + 24 = 72}", "72"),
    (r"\boxed{-3}", "-3"),
    (r"\boxed{7.2 \times 10^3}", "7200"),
    (r"\boxed{1.5e6}", "1500000"),
    (r"\boxed{\textbf{72}}", "72"),
    (r"\boxed{\$1,234.50}", "1234.5"),
    (r"First I had \boxed{70}. No: \boxed{72}.", "72"),
    (r"**Answer:** $\boxed{72}$ clips in 2 months.", "72"),
    (r"\boxed{10 \text{ hours}}, which is 2 hours longer than the 8 before.", "10"),
    (r"\boxed{5 \text{ apples}} each for 3 children.", "5"),
    (r"\fbox{72}", "72"),
    (r"The total is $48 + 24 = \boxed{72}$ clips.", "72"),
    # stated
    ("The answer is 72.", "72"),
    ("The answer is 72", "72"),
    ("the answer is: 72", "72"),
    ("The final answer is 72.", "72"),
    ("The final answer is $72.", "72"),
    ("The final answer is **72**.", "72"),
    ("The final answer is $\\$72$.", "72"),
    ("The answer is $1,080.", "1080"),
    ("The answer is 1,080 dollars.", "1080"),
    ("The answer is 72 clips.", "72"),
    ("The answer is 72 because 48 + 24 is 72 and 48 / 2 is 24.", "72"),
    ("The answer is 72, since she sold 48 in April.", "72"),
    ("The answer is 48 + 24 = 72.", "72"),
    ("The answer is -3.", "-3"),
    ("The answer is −3 degrees.", "-3"),
    ("The answer is 0.5.", "0.5"),
    ("The answer is .5", "0.5"),
    ("The answer is 1/2.", "0.5"),
    ("The answer is 75%.", "75"),
    ("The answer is 75 percent.", "75"),
    ("The answer is 3.5 hours. That is 210 minutes.", "3.5"),
    ("The answer is 12. This is 4 more than the 8 he had.", "12"),
    ("Answer: 72", "72"),
    ("**Answer: 72**", "72"),
    ("**Answer:** 72", "72"),
    ("**Final Answer:** 72", "72"),
    ("**Final answer**: $72", "72"),
    ("Final Answer\n72", "72"),
    ("ANSWER: 72", "72"),
    ("Answer = 72", "72"),
    ("My answer is 72.", "72"),
    ("So the correct answer is 72 and not 70.", "72"),
    ("Thus the answer to the question is 72.", "72"),
    ("The answer to this problem is 72.", "72"),
    ("The answer would be 72.", "72"),
    ("Hence, our answer is $72$.", "72"),
    ("A: 72", "72"),
    ("<answer>72</answer>", "72"),
    ("<answer>$72</answer> for 3 days", "72"),
    ("<answer> 72 clips </answer>", "72"),
    ("<answer>1,080</answer>", "1080"),
    ("<answer>70</answer> No, <answer>72</answer>", "72"),
    ("I think the answer is 70. Let me check: 48 + 24 = 72. So the answer is 72.", "72"),
    ("The answer is 70... wait, that is wrong. The answer is 72.", "72"),
    ("The answer is not 70. The answer is 72.", "72"),
    ("The answer is 5 + 3 * 2 = 11 apples in 2 baskets.", "11"),
    ("The answer is $5 per apple for 3 apples, so $15 in total.\nThe answer is 15.", "15"),
    ("The answer is 2 hours and that makes 14 in a week.\nAnswer: 14", "14"),
    ("The answer is: \n\n72", "72"),
    ("The answer is `72`.", "72"),
    ("The answer is approximately 72.", "72"),
    ("The answer is exactly 72 clips!", "72"),
    ("The answer is therefore 72.", "72"),
    ("The answer is \\(72\\).", "72"),
    ("The answer is \\[72\\]", "72"),
    ("The answer is $\\frac{3}{4}$.", "0.75"),
    ("The answer is 1.2 x 10^3.", "1200"),
    ("The answer is 1.2 × 10^3.", "1200"),
    ("The answer is 1.2e3.", "1200"),
    ("The answer is 2 1/2.", "2.5"),
    ("The answer is €72.", "72"),
    ("The answer is 72°.", "72"),
    ("The answer is 72 km/h.", "72"),
    ("The answer is 72 m².", "72"),
    ("The answer is 2.5 million dollars.", "2500000"),
    ("#### 3 thousand", "3000"),
    ("#### 1. Find the price\n2 * 7 = 14\n#### 2. Compare\nThe answer is 14.", "14"),
    ("The answer is 10,000,000.", "10000000"),
    ("The answer is 72. #hope #this #helps", "72"),
    ("The answer is 72.\n\nQuestion: Tom has 5 apples and eats 2. How many are left?", "72"),
    ("The answer is 72\n\nQ: A farmer has 12 cows.\nA:", "72"),
    # nothing but the last number
    ("72", "72"),
    ("$72", "72"),
    ("72 clips", "72"),
    ("72.0", "72"),
    ("1,080", "1080"),
    ("-3", "-3"),
    ("1/2", "0.5"),
    ("75%", "75"),
    ("She sold 48 clips in April and 24 in May, so altogether 72.", "72"),
    ("48 / 2 = 24\n24 + 48 = 72", "72"),
    ("48 + 24 = 72 clips", "72"),
    ("So Natalia sold 72 clips.", "72"),
    ("So Natalia sold **72** clips.", "72"),
    ("Therefore, Natalia sold a total of 72 clips altogether.", "72"),
    ("Total = $18", "18"),
    ("She makes 9 * 2 = $18 every day at the farmer's market.", "18"),
    ("He spends $1,234.50.", "1234.5"),
    ("That leaves 16 - 3 - 4 = 9 eggs at $2 each: 9 x 2 = 18", "18"),
    ("Total: 3 + 4 = 7; twice that is 14.", "14"),
    ("The temperature falls to -3 degrees.", "-3"),
    ("The temperature falls to −3 °C.", "-3"),
    ("5 - 8 = -3", "-3"),
    ("He gets 0.75", "0.75"),
    ("He gets .75", "0.75"),
    ("The share is 3/4.", "0.75"),
    ("The share is \\frac{3}{4}.", "0.75"),
    ("It rises by 25%.", "25"),
    ("It rises by 25 percent.", "25"),
    ("It costs 10,000,000 dollars.", "10000000"),
    ("It costs 1.5e6 dollars.", "1500000"),
    ("3 * 4 = 12, no, 3 * 5 = 15", "15"),
    ("I first thought 12, but he pays for 5, so it is 15.", "15"),
    ("Wait, that counts one twice. It is 14 then.", "14"),
    ("x = 14", "14"),
    ("x=14.", "14"),
    ("$x = 14$", "14"),
    ("Let x be the price.\n3x + 5 = 47\n3x = 42\nx = 14", "14"),
    ("| item | cost |\n|---|---|\n| pens | 6 |\n| total | 14 |", "14"),
    ("- pens: 6\n- books: 8\n- total: 14", "14"),
    ("1. Pens: $6\n2. Books: $8\n3. Total: $14", "14"),
    ("6 + 8 = <<6+8=14>>14 dollars.", "14"),
    ("6 + 8 = <<6+8=14>>", "14"),
    ("```\nprint(6 + 8)\n```\n14", "14"),
    ("He needs 14 more dollars!", "14"),
    ("He needs 14 more dollars, doesn't he?", "14"),
    ("So it takes 14.", "14"),
    ("It takes 14 (fourteen) days.", "14"),
    ("(14)", "14"),
    ("[14]", "14"),
    ("{14}", "14"),
    ("=14", "14"),
    ("~14", "14"),
    ("≈ 14", "14"),
    ("14 ✓", "14"),
    ("014", "14"),
    ("+14", "14"),
    ("14USD", "14"),
    ("USD 14", "14"),
    ("14 $", "14"),
    ("14.", "14"),
    ("14,", "14"),
    ("\n\n14\n\n", "14"),
    ("**14 days**", "14"),
    ("__14__", "14"),
    ("*14*", "14"),
]

WRONG = [
    ("The answer is 70, although one could think of 72.", "72"),
    (r"72 is tempting, but \boxed{70}", "72"),
    ("#### 70\nand not 72", "72"),
    ("The answer is 7.2", "72"),
    ("The answer is -72", "72"),
    ("The answer is 720", "72"),
    ("72 is what I had, but I now say 70.", "72"),
    ("The answer is 72 million", "72"),
    ("The answer is 72/2 = 36.", "72"),
    ("I do not know.", "72"),
    ("", "72"),
    ("<answer>unknown</answer> 72", "72"),
    ("#### 1.080", "1080"),
    ("The answer is 0.75", "75"),
    ("The answer is 3", "-3"),
]


def test_there_are_two_hundred_replies_judged_by_hand():
    assert len(RIGHT) + len(WRONG) >= 200
    assert len({text for text, _ in RIGHT + WRONG}) == len(RIGHT + WRONG)


@pytest.mark.parametrize(("text", "target"), RIGHT)
def test_the_right_answer_is_found_in_a_reply(text, target):
    assert gsm8k.score(gsm8k.extract(text), target) == 1.0


@pytest.mark.parametrize(("text", "target"), WRONG)
def test_a_wrong_answer_stays_wrong(text, target):
    assert gsm8k.score(gsm8k.extract(text), target) == 0.0


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("48/2 = 24.\n#### 72", "72"),
        ("#### 1,080", "1080"),
        ("####  2,125,000 ", "2125000"),
        ("#### -3", "-3"),
        ("#### $18", "$18"),
        ("#### 9.50", "9.50"),
        ("#### .75", ".75"),
        ("#### 20%", "20%"),
        ("#### 7,", "7"),
        ("72", "72"),
        (72, "72"),
        ("Step #### 1\n#### 5", "5"),
    ],
)
def test_the_target_of_a_row_is_the_number_after_the_mark(tmp_path, answer, target):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "q", "answer": answer}))
    (task,) = gsm8k.load(tmp_path / "rows.jsonl")
    assert task.target == target
    assert exact(task.target) is not None


@pytest.mark.parametrize("answer", ["#### ", "so many", "24.\n#### many", "72\n#### ?"])
def test_a_row_without_a_number_is_named_with_its_line(tmp_path, answer):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "q", "answer": answer}))
    with pytest.raises(BenchmarkError, match=r"(?s)line 1: the answer '.*' does not end in #### and a number"):
        gsm8k.load(tmp_path / "rows.jsonl")


def test_every_official_row_there_is_parses_and_its_solution_scores(shared: Path):
    files = sorted((shared / "data" / "gsm8k").glob("*.jsonl"))
    assert files
    for file in files:
        tasks = gsm8k.load(file)
        solutions = [json.loads(line)["answer"] for line in file.read_text(encoding="utf-8").splitlines()]
        assert len(tasks) == len(solutions)
        for task, solution in zip(tasks, solutions, strict=True):
            assert re.fullmatch(r"-?\d+(\.\d+)?", task.target)
            assert gsm8k.score(gsm8k.extract(solution), task.target) == 1.0
            assert gsm8k.score(task.target, solution) == 1.0


def test_its_library_is_flat_and_its_files_are_those_that_are_fetched():
    assert (gsm8k.name, gsm8k.folder, gsm8k.retrieval) == ("gsm8k", "data/gsm8k", "flat")
    assert get_benchmark("math").retrieval == "hierarchical"


@pytest.mark.parametrize(
    "said",
    ["#### 72", "The answer is 72", "Answer: 72", "final answer: $72", "€72", "£72", "72,", "72"],
)
def test_what_stands_around_the_number_in_an_answer_is_left_out(said: str):
    benchmark = get_benchmark("gsm8k")
    assert benchmark.score(benchmark.extract(f"So. <answer>{said}</answer>"), "#### 72") == 1
