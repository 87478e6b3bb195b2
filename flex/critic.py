"""The critic Gamma: distils a trajectory, solved or failed, into a structured experience."""

from collections.abc import Sequence
from dataclasses import replace

from flex.errors import SettingsError
from flex.library.entry import texts_of
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel
from flex.replies import ExperienceReply, LessonReply, ask, escape_tag, parse_experience, user
from flex.telemetry import span
from flex.types import Experience, Model, Round, Task, Trajectory, Zone


class Critic:
    """Reads one rollout and writes down what to repeat (solved) or what to avoid (failed).

    `Critic(model_name="gpt-5")` talks to the endpoint of the environment; give `model` to choose another.
    """

    def __init__(
        self, model: Model | None = None, prompts: Prompts | None = None, *, model_name: str | None = None
    ) -> None:
        if model is None and not model_name:
            raise SettingsError("a Critic needs a model: Critic(model_name=...) or Critic(model)")
        self.model: Model = model or ChatModel(str(model_name), role="critic")
        self.prompts = prompts

    async def distill(self, trajectory: Trajectory) -> Experience:
        """The experience in a rollout: golden when it was solved, warning when it was not (paper, 3.1 and 3.2).

        Raises ParseError when the reply breaks its contract twice; then there is no experience. ValueError for a
        rollout that is neither: a right attempt was refused.
        """
        if trajectory.misjudged:
            raise ValueError(f"an attempt at task {trajectory.task.id} was right, and refused: nothing to warn of")
        if trajectory.solved:
            return await self._ask("critic_solved", trajectory.task, "golden", rounds=_escape_tags(trajectory).rounds)
        return await self._ask("critic_failed", trajectory.task, "warning", rounds=_escape_tags(trajectory).rounds)

    async def contrast(self, trajectories: Sequence[Trajectory]) -> Experience:
        """What made the difference between failed and solved rollouts of one task, for the zone "mixed" (paper, 3.2).

        Raises ParseError as `distill` does, and ValueError where there is nothing to contrast.
        """
        if {trajectory.solved for trajectory in trajectories} != {True, False}:
            raise ValueError("a contrast needs a failed and a solved rollout of the task")
        rollouts = [_escape_tags(trajectory) for trajectory in trajectories]
        return await self._ask("critic_contrast", trajectories[0].task, "mixed", rollouts=rollouts)

    async def _ask(self, name: str, task: Task, zone: Zone, **seen: Sequence[Round] | list[Trajectory]) -> Experience:
        prompts = self.prompts or Prompts()
        prompt = prompts.render(name, question=task.question, target=task.target, **seen)
        contract = LessonReply if zone == "warning" else ExperienceReply

        def parse(text: str) -> Experience:
            experience = parse_experience(text, zone, contract)
            prompts.refuse_copies(name, *texts_of(experience))
            return experience

        with span("critic", "CHAIN", input=task.question) as recorded:
            experience = await ask(self.model, [user(prompt)], parse, prompts, contract=contract)
            recorded.set(output=experience.method)
        return experience


def _escape_tags(trajectory: Trajectory) -> Trajectory:
    """A rollout as the critic sees it, without tags that would end the sections of its prompt."""
    return replace(trajectory, rounds=tuple(_escaped_round(seen) for seen in trajectory.rounds))


def _escaped_round(seen: Round) -> Round:
    answer = seen.attempt.answer
    return Round(
        replace(
            seen.attempt,
            text=escape_tag(seen.attempt.text, "attempt"),
            answer=None if answer is None else escape_tag(answer, "answer"),
        ),
        replace(seen.verdict, feedback=escape_tag(seen.verdict.feedback, "feedback")),
    )
