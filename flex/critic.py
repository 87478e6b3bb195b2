"""The critic Gamma: distils a trajectory, solved or failed, into a structured experience."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field, field_validator

from flex.errors import ParseError, SettingsError
from flex.library.merging import distinct, over_caps
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel
from flex.replies import ask, fitted, quoted, user
from flex.telemetry import span
from flex.types import Experience, Model, Round, Rule, Task, Trajectory, Zone


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

        Raises ParseError when the reply breaks its contract twice; then there is no experience.
        """
        if trajectory.solved:
            return await self._asked("critic_solved", trajectory.task, "golden", rounds=_quoted(trajectory).rounds)
        return await self._asked("critic_failed", trajectory.task, "warning", rounds=_quoted(trajectory).rounds)

    async def contrast(self, trajectories: Sequence[Trajectory]) -> Experience:
        """What made the difference between failed and solved rollouts of one task, for the zone "mixed" (paper, 3.2).

        Raises ParseError as `distill` does, and ValueError where there is nothing to contrast.
        """
        if {trajectory.solved for trajectory in trajectories} != {True, False}:
            raise ValueError("a contrast needs a failed and a solved rollout of the task")
        rollouts = [_quoted(trajectory) for trajectory in trajectories]
        return await self._asked("critic_contrast", trajectories[0].task, "mixed", rollouts=rollouts)

    async def _asked(self, name: str, task: Task, zone: Zone, **seen: Sequence[Round] | list[Trajectory]) -> Experience:
        prompts = self.prompts or Prompts()
        prompt = prompts.render(name, question=task.question, target=task.target, **seen)
        with span("critic", "CHAIN", input=task.question) as recorded:
            experience = await ask(self.model, [user(prompt)], lambda text: parse_experience(text, zone), prompts)
            recorded.set(output=experience.method)
        return experience


def _quoted(trajectory: Trajectory) -> Trajectory:
    """A rollout as the critic sees it, without tags that would end the sections of its prompt."""
    return replace(trajectory, rounds=tuple(_quoted_round(seen) for seen in trajectory.rounds))


def _quoted_round(seen: Round) -> Round:
    answer = seen.attempt.answer
    return Round(
        replace(
            seen.attempt,
            text=quoted(seen.attempt.text, "attempt"),
            answer=None if answer is None else quoted(answer, "answer"),
        ),
        replace(seen.verdict, feedback=quoted(seen.verdict.feedback, "feedback")),
    )


class _Rule(BaseModel):
    rule: str = Field(min_length=1)
    examples: list[str] = []

    @field_validator("examples", mode="before")
    @classmethod
    def _one_example_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class _Reply(BaseModel):
    method: str = Field(min_length=1)
    rules: list[_Rule] = Field(min_length=1)
    revised_trajectory: str = ""
    problem_category: str = ""
    priority: int = 1

    @field_validator("priority")
    @classmethod
    def _from_one_to_five(cls, value: int) -> int:
        return min(max(value, 1), 5)


def parse_experience(text: str, zone: Zone) -> Experience:
    """The experience in the last json block of a critic's reply.

    Raises ParseError naming every bad field, or what is too large for an entry.
    """
    reply = fitted(_Reply, text)
    experience = Experience(
        method=reply.method,
        rules=distinct(Rule(r.rule, tuple(r.examples)) for r in reply.rules),
        revised_trajectory=reply.revised_trajectory,
        zone=zone,
        problem_category=reply.problem_category,
        priority=reply.priority,
    )
    if problem := over_caps(experience):
        raise ParseError(f"the entry is too large: {problem}; keep what is most general and shorten the examples first")
    return experience
