"""The actor pi as a chat: it attempts a task, and attempts it again under feedback."""

from flex.benchmarks.base import Benchmark
from flex.prompt import Prompts
from flex.replies import assistant, user
from flex.telemetry import span
from flex.types import Attempt, Message, Model, Retrieval, Trajectory


class Actor:
    """Answers a task in one reply; what the trajectory holds so far is the conversation it continues."""

    def __init__(self, model: Model, benchmark: Benchmark, prompts: Prompts) -> None:
        self.model = model
        self.benchmark = benchmark
        self.prompts = prompts

    async def attempt(self, trajectory: Trajectory, retrieval: Retrieval | None = None) -> Attempt:
        """The next attempt at the trajectory's task, with what the library had to say about it (paper, 3.1)."""
        with span("actor", "CHAIN", input=trajectory.task.question) as recorded:
            reply = await self.model.complete(self.messages(trajectory, retrieval))
            recorded.set(output=reply.text, finish_reason=reply.finish_reason)
        read = self.benchmark.extract if reply.complete else self.benchmark.extract_marked
        return Attempt(
            text=reply.text,
            answer=read(reply.text),
            reasoning=reply.reasoning,
            usage=reply.usage,
            finish_reason=reply.finish_reason,
            retrievals=(retrieval,) if retrieval else (),
        )

    def messages(self, trajectory: Trajectory, retrieval: Retrieval | None = None) -> list[Message]:
        """The conversation up to the next attempt, its static part first."""
        question = trajectory.task.question
        opening = f"{retrieval.text}\n\n{question}" if retrieval and retrieval.text else question
        messages = [{"role": "system", "content": self.prompts.render("llm_system_prompt")}, user(opening)]
        for past in trajectory.rounds:
            feedback = self.prompts.render("feedback", feedback=past.verdict.feedback)
            messages += [assistant(past.attempt.text), user(feedback)]
        return messages
