"""The training loop, in the order of the paper's section 3: explore, distil, evolve the library, train.

    explore    rollouts of one task until one is accepted (breadth); in a rollout, rounds under feedback (depth)
    distill    one experience per rollout, failed ones included
    evolve     insert, merge or discard each experience, in the order of the tasks
    train      all of that over the tasks of a split, for some epochs

`process_task` does the first two for one task, by names of models alone.

Exploration of many tasks is concurrent and reads nothing mutable; library changes are applied in dataset order.
So the same replies always build the same library, whatever the timing. The run's log answers before a model is
asked: a run that is started again with the same folder pays for nothing twice.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from flex.actor import Actor
from flex.benchmarks import get_benchmark
from flex.concurrency import Stop, in_order
from flex.critic import Critic
from flex.endpoint.kept_replies import sample
from flex.errors import ParseError, Setback, Unusable
from flex.explib import ExpLib
from flex.files.runlog import RunLog
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel, RateLimitedLLMClient
from flex.telemetry import span
from flex.training.config import Limits, Team, TrainConfig
from flex.training.session import Progress, Session
from flex.types import Experience, Exploration, Model, Retrieval, Task, Trajectory
from flex.verifier import Verifier

__all__ = ["Limits", "Progress", "Team", "TrainConfig", "distill", "explore", "process_task", "train"]
log = logging.getLogger(__name__)
MISJUDGED = "an attempt was right, and the verifier refused it"
"""Why a rollout is not distilled: it is no failure to warn of, and who wants the verifier's word has not got it."""

UNSAID = "no attempt came to an answer before it was cut off, filtered or empty"
"""The other reason: what was wrong is not what was said."""


async def explore(
    task: Task, actor: Actor, verifier: Verifier, limits: Limits, retrieval: Retrieval | None = None
) -> list[Trajectory]:
    """Sample rollouts until one is accepted; within a rollout, refine under feedback (paper, 3.1).

    A rollout of an open-ended task goes on improving until its rounds are used up.
    """
    trajectories = []
    for rollout in range(limits.max_rollouts):  # breadth
        trajectory = Trajectory(task)
        with sample("rollout", rollout):
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


async def distill(
    task: Task, trajectories: Sequence[Trajectory], critic: Critic, contrast: bool = False
) -> Exploration:
    """The exploration with one experience per rollout, failed ones included (paper, 3.1).

    None where the critic broke its contract twice, a right attempt was refused or none came to an answer. With
    `contrast`, one more for the mixed zone where some rollouts failed and one was accepted.
    """
    judged = {rollout: one for rollout, one in enumerate(trajectories) if not (one.misjudged or one.unsaid)}
    distilling = [_with_source(critic, critic.distill(one), task, rollout=rollout) for rollout, one in judged.items()]
    if contrast and len({one.solved for one in judged.values()}) == 2:
        distilling.append(_with_source(critic, critic.contrast([*judged.values()]), task, rollouts=[*judged]))
    distilled = await asyncio.gather(*distilling)
    skipped = [UNSAID if one.unsaid else MISJUDGED for rollout, one in enumerate(trajectories) if rollout not in judged]
    problems = skipped + [one for one in distilled if isinstance(one, str)]
    experiences = tuple(one for one in distilled if not isinstance(one, str))
    return Exploration(task, tuple(trajectories), experiences, undistilled=tuple(problems))


async def _with_source(
    critic: Critic, distilling: Coroutine[Any, Any, Experience], task: Task, **source: Any
) -> Experience | str:
    """The experience with its provenance, or why the critic's reply is none."""
    try:
        experience = await distilling
    except ParseError as error:
        log.warning("task %s: no experience: %s", task.id, error)
        return str(error)
    return replace(experience, provenance={"tasks": [task.id], **source, "model": critic.model.name})


async def explore_and_distill(task: Task, team: Team, config: TrainConfig, library: ExpLib | None) -> Exploration:
    """All that one task teaches; the actor reads what the library has to say.

    What goes wrong costs this task only. Raises Unusable where no other task can be done either.
    """
    try:
        retrieval = await team.retriever.retrieve(task.question, library) if library else None
        trajectories = await explore(task, team.actor, team.verifier, config.limits, retrieval)
        return await distill(task, trajectories, team.critic, config.contrast)
    except Exception as error:  # a task is a bulkhead, see flex/errors.py
        setback = Setback.of(error)
        if setback.ends_run:
            raise setback.ends_run  # noqa: B904
        log.warning("task %s failed: %s", task.id, setback.traceback or setback)
        return Exploration(task, error=str(setback), reason=setback.reason, traceback=setback.traceback)


async def evolve(session: Session, epoch: int, tasks: Sequence[Task]) -> None:
    """Let the library learn from tasks (paper, 3.2): explorations are concurrent, updates follow in the tasks' order.

    How the updater is asked ahead of that order is drawn in flex/training/evolution.py.
    """
    team, config = session.team, session.config
    library = session.library.view() if config.use_library else None

    async def exploration(task: Task) -> Exploration | None:
        if (known := session.explored(epoch, task)) is not None:
            return known
        if session.stopping:
            return None
        try:
            with span(f"task {task.id}", epoch=epoch), sample("epoch", epoch, task.id):
                explored = await explore_and_distill(task, team, config, library)
            return session.log_exploration(epoch, explored)
        except (Unusable, OSError) as error:
            session.end(error)
            return None

    async with (
        aclosing(in_order(tasks, exploration, config.max_concurrent or config.batch_size)) as explorations,
        aclosing(session.updates(epoch, explorations)) as updates,
    ):
        async for update, outcome in updates:
            session.apply(update, outcome)


async def train(
    tasks: Sequence[Task],
    team: Team,
    library: ExpLib,
    config: TrainConfig,
    run: RunLog,
    store_path: Path,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stop: Stop | None = None,
) -> Progress:
    """Learn from the tasks: explore and distil concurrently, update the library in dataset order, save every batch.

    Once a stop is requested no task is begun; those under way end and are logged, `unfinished` counts the rest.
    Raises Unusable, after that, when no task can be done any more.
    """
    # An actor that reads the library waits until the batch before has been learned.
    size = config.batch_size if config.use_library else len(tasks)
    session = Session(team, library, config, run, store_path, on_progress, stop or Stop())
    try:
        for epoch in range(config.epochs):
            for start in range(0, len(tasks), size):
                await evolve(session, epoch, tasks[start : start + size])
    finally:
        session.close()
    if session.ended and not session.stop.reason:
        raise session.ended
    return session.progress


async def process_task(
    query: str,
    ground_truth: str | None,
    client: RateLimitedLLMClient,
    llm: str | Model,
    verifier: str | Model,
    critic: str | Model | Critic,
    max_rounds: int = Limits().max_rounds,
    max_rollouts: int = Limits().max_rollouts,
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
    return await distill(task, trajectories, critic)


def _at(client: RateLimitedLLMClient, model: str | Model, role: str) -> Model:
    """The model, reached through this client."""
    if isinstance(model, str):
        return ChatModel(model, client, role=role)
    return model.bound(client) if isinstance(model, ChatModel) else model
