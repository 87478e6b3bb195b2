"""Explore one task by rejection sampling, and distil what its rollouts teach (paper, 3.1)."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flex.actor import Actor
from flex.benchmarks import get_benchmark
from flex.critic import Critic
from flex.errors import ParseError
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel, RateLimitedLLMClient
from flex.types import Experience, Exploration, Model, Retrieval, Task, Trajectory
from flex.verifier import Verifier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to explore one task: rollouts are its breadth, rounds their depth (paper, 3.1)."""

    max_rollouts: int = 3
    max_rounds: int = 5


async def explore(
    task: Task, actor: Actor, verifier: Verifier, limits: Limits, retrieval: Retrieval | None = None
) -> list[Trajectory]:
    """Sample rollouts until one is accepted; within a rollout, refine under feedback (paper, 3.1).

    A rollout of an open-ended task goes on improving until its rounds are used up.
    """
    trajectories = []
    for _ in range(limits.max_rollouts):  # breadth
        trajectory = Trajectory(task)
        for _ in range(limits.max_rounds):  # depth
            attempt = await actor.attempt(trajectory, retrieval)
            verdict = await verifier.judge(task, attempt, trajectory.rounds)
            trajectory = trajectory.extended(attempt, verdict)
            if verdict.accepted and not verifier.open_ended:
                break
        trajectories.append(trajectory)
        if trajectory.solved:
            break
    return trajectories


async def distill(trajectories: Sequence[Trajectory], critic: Critic, contrast: bool = False) -> list[Experience]:
    """One experience per rollout, failed ones included (paper, 3.1); none where the critic broke its contract twice.

    With `contrast`, one more for the mixed zone where some rollouts failed and one was accepted.
    """
    made = [
        _provided(critic, critic.distill(trajectory), {"tasks": [trajectory.task.id], "rollout": rollout})
        for rollout, trajectory in enumerate(trajectories)
    ]
    if contrast and len({trajectory.solved for trajectory in trajectories}) == 2:
        source = {"tasks": [trajectories[0].task.id], "rollouts": list(range(len(trajectories)))}
        made.append(_provided(critic, critic.contrast(trajectories), source))
    return [experience for experience in await asyncio.gather(*made) if experience is not None]


async def _provided(
    critic: Critic, distilling: Coroutine[Any, Any, Experience], source: Mapping[str, Any]
) -> Experience | None:
    """The experience, with where it came from."""
    try:
        experience = await distilling
    except ParseError as error:
        log.warning("%s: no experience: %s", ", ".join(f"{key} {value}" for key, value in source.items()), error)
        return None
    return replace(experience, provenance={**source, "model": critic.model.name})


async def process_task(
    query: str,
    ground_truth: str | None,
    client: RateLimitedLLMClient,
    llm: str | Model,
    verifier: str | Model,
    critic: str | Model | Critic,
    max_rounds: int = 5,
    max_rollouts: int = 3,
    task_type: str = "math",
    with_gt: bool = True,
    llm_system_prompt_path: str | Path | None = None,
    verifier_prompt_path: str | Path | None = None,
) -> Exploration:
    """Explore one task and distil every rollout, failed ones included; the experiences are ready for an updater.

    Models are names at `client`'s endpoint, or model objects. Raises EndpointError when a call fails for good.
    """
    benchmark = get_benchmark(task_type)
    overrides = {"llm_system_prompt": llm_system_prompt_path, "verifier": verifier_prompt_path}
    prompts = Prompts(benchmark.prompts, overrides)
    actor = Actor(_at(client, llm, "actor"), benchmark, prompts)
    judge = Verifier(_at(client, verifier, "verifier"), benchmark, prompts)
    if isinstance(critic, Critic):
        critic = Critic(_at(client, critic.model, "critic"), critic.prompts or prompts)
    else:
        critic = Critic(_at(client, critic, "critic"), prompts)
    task = benchmark.task(query, ground_truth if with_gt else None)
    trajectories = await explore(task, actor, judge, Limits(max_rollouts, max_rounds))
    return Exploration(task, tuple(trajectories), tuple(await distill(trajectories, critic)))


def _at(client: RateLimitedLLMClient, model: str | Model, role: str) -> Model:
    """The model, reached through this client."""
    if isinstance(model, str):
        return ChatModel(model, client, role=role)
    return model.bound(client) if isinstance(model, ChatModel) else model
