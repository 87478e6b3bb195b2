import asyncio

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
