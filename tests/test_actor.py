import asyncio

import pytest

from flex.actor import Actor
from flex.benchmarks import get_benchmark
from flex.prompt import Prompts
from flex.testing import ScriptedModel
from flex.types import Reply, Retrieval, Task, Trajectory, Verdict

TASK = Task("math-1", "What is 40 + 2?", "42")


def actor(*lines) -> Actor:
    return Actor(ScriptedModel(*lines), get_benchmark("math"), Prompts("aime"))


def test_an_attempt_holds_the_reply_and_the_extracted_answer():
    attempt = asyncio.run(actor(r"It is \boxed{42}.").attempt(Trajectory(TASK)))
    assert (attempt.text, attempt.answer) == (r"It is \boxed{42}.", "42")


def test_feedback_reaches_the_next_attempt():
    solver = actor("The answer is 41", "The answer is 42")

    async def two_rounds():
        trajectory = Trajectory(TASK)
        first = await solver.attempt(trajectory)
        return await solver.attempt(trajectory.extended(first, Verdict(False, "Count the units again.")))

    assert asyncio.run(two_rounds()).answer == "42"
    roles = [m["role"] for m in solver.model.asked[1]]
    assert roles == ["system", "user", "assistant", "user"]
    assert "Count the units again." in solver.model.asked[1][-1]["content"]


def test_the_conversation_so_far_is_a_prefix_of_the_next_one():
    solver = actor("41")
    attempt = asyncio.run(solver.attempt(Trajectory(TASK)))
    longer = Trajectory(TASK).extended(attempt, Verdict(False, "no"))
    assert solver.messages(longer)[:2] == solver.messages(Trajectory(TASK))


def test_retrieved_experience_stands_before_the_question():
    solver = actor("42")
    asyncio.run(solver.attempt(Trajectory(TASK), Retrieval("q", text="Add the units first.")))
    opening = solver.model.asked[0][1]["content"]
    assert opening.index("Add the units first.") < opening.index("What is 40 + 2?")


def test_thinking_is_kept_apart_from_the_text():
    attempt = asyncio.run(actor(Reply("42", reasoning="is it 43?")).attempt(Trajectory(TASK)))
    assert (attempt.text, attempt.reasoning) == ("42", "is it 43?")


@pytest.mark.parametrize("ending", ["length", "filtered", "error"])
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("First we add 40 and 2. The sum of 40 and", None),
        ("It is \\boxed{4", None),
        ("<answer>4", None),
        ("Try \\boxed{7}? No, that is wrong, because the two", None),
        ("Step 1 gives \\boxed{40}. Step 2 gives", None),
        ("It is \\boxed{40} or \\boxed{42}", None),
        ("The first basket holds \\boxed{12}. The second one three times as many, so", None),
        ("\\boxed{42}\n\nExplanation: we add 40 and 2, and then", "42"),
        ("It is \\boxed{42}.", "42"),
        ("It is \\boxed{\\frac{1}{\\sqrt{2}}}. To verify, square 3 and", "\\frac{1}{\\sqrt{2}}"),
        ("<answer>42</answer> Let me verify: 40 +", "42"),
        ("40 + 2 = 42\n#### 42\nTo verify: 4", "42"),
        ("#### 4", None),
    ],
)
def test_of_a_reply_that_was_cut_off_only_a_marked_whole_answer_counts(ending, text, answer):
    attempt = asyncio.run(actor(Reply(text, finish_reason=ending)).attempt(Trajectory(TASK)))
    assert (attempt.answer, attempt.finish_reason) == (answer, ending)
