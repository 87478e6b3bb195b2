"""The training loop: explore by rejection sampling, distil every rollout, evolve the library (paper, section 3).

Exploration of many tasks is concurrent and reads nothing mutable; library changes are applied in dataset order.
So the same replies always build the same library, whatever the timing. The run's log answers before a model is
asked: a run that is started again with the same folder pays for nothing twice.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flex.actor import Actor
from flex.benchmarks import get_benchmark
from flex.clock import now
from flex.concurrency import in_order
from flex.critic import Critic
from flex.errors import EndpointError, ParseError
from flex.explib import ExpLib
from flex.memory_retriever import MemoryRetriever
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel, RateLimitedLLMClient
from flex.runlog import RunLog, decode
from flex.stopping import Stop
from flex.telemetry import span
from flex.types import Experience, Exploration, Model, Retrieval, Task, Trajectory, UpdateDecision
from flex.updater import Updater
from flex.verifier import Verifier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to explore one task: rollouts are its breadth, rounds their depth (paper, 3.1)."""

    max_rollouts: int = 3
    max_rounds: int = 5


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train; `batch_size` tasks are explored at a time, and the library is saved after as many."""

    limits: Limits = Limits()
    epochs: int = 1
    batch_size: int = 20
    direct_add: bool = False
    """Insert every experience without asking the updater."""
    use_library: bool = False
    """Let the actor consult the library as it was when the batch began."""
    run_name: str = ""
    clock: Callable[[], str] = now


@dataclass(frozen=True, slots=True)
class Team:
    """The five roles of one run."""

    actor: Actor
    verifier: Verifier
    critic: Critic
    updater: Updater
    retriever: MemoryRetriever


@dataclass(slots=True)
class Progress:
    """How a training run stands; counts of this run, all epochs together."""

    explored: int = 0
    solved: int = 0
    failed: int = 0
    inserted: int = 0
    merged: int = 0
    discarded: int = 0
    set_aside: int = 0
    """Experiences the updater could not decide on; they are in the log, not in the library."""
    undistilled: int = 0
    """Rollouts out of which the critic made no experience."""
    verdicts: int = 0
    disagreements: int = 0
    """Verdicts in which the verifier and the score said different things."""
    unfinished: int = 0
    """Tasks that were not begun, or not learned from yet, when the run was stopped."""
    errors: list[str] = field(default_factory=list)

    def count(self, exploration: Exploration) -> None:
        self.explored += 1
        self.solved += exploration.solved
        if exploration.error:
            self.failed += 1
            self.errors.append(exploration.error)
        else:
            self.undistilled += len(exploration.trajectories) - len(exploration.experiences)
        for verdict in (r.verdict for t in exploration.trajectories for r in t.rounds):
            self.verdicts += 1
            if verdict.score is not None and verdict.accepted_by_verifier is not None:
                self.disagreements += verdict.accepted_by_verifier != (verdict.score >= 1)


async def explore(
    task: Task, actor: Actor, verifier: Verifier, limits: Limits, retrieval: Retrieval | None = None
) -> list[Trajectory]:
    """Sample rollouts until one is accepted; within a rollout, refine under feedback (paper, 3.1)."""
    trajectories = []
    for _ in range(limits.max_rollouts):  # breadth
        trajectory = Trajectory(task)
        for _ in range(limits.max_rounds):  # depth
            attempt = await actor.attempt(trajectory, retrieval)
            verdict = await verifier.judge(task, attempt)
            trajectory = trajectory.extended(attempt, verdict)
            if verdict.accepted:
                break
        trajectories.append(trajectory)
        if trajectory.solved:
            break
    return trajectories


async def distill(trajectories: Sequence[Trajectory], critic: Critic) -> list[Experience]:
    """One experience per rollout, failed ones included (paper, 3.1); none where the critic broke its contract twice."""

    async def one(rollout: int, trajectory: Trajectory) -> Experience | None:
        try:
            experience = await critic.distill(trajectory)
        except ParseError as error:
            log.warning("task %s, rollout %d: no experience: %s", trajectory.task.id, rollout, error)
            return None
        provenance = {"tasks": [trajectory.task.id], "rollout": rollout, "model": critic.model.name}
        return replace(experience, provenance=provenance)

    found = await asyncio.gather(*(one(number, t) for number, t in enumerate(trajectories)))
    return [experience for experience in found if experience is not None]


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

    Once `stop` is heard no task is begun; those under way end and stand in the log, `unfinished` counts the rest.
    """
    session = _Session(team, library, config, run, store_path, on_progress, stop or Stop())
    try:
        for epoch in range(config.epochs):
            for wave in _waves(tasks, config):
                await session.learn(epoch, wave)
    finally:
        session.close()
    return session.progress


def _waves(tasks: Sequence[Task], config: TrainConfig) -> list[Sequence[Task]]:
    """Tasks that may be explored at once: an actor that reads the library waits for the batch before."""
    size = config.batch_size if config.use_library else len(tasks)
    return [tasks[start : start + size] for start in range(0, len(tasks), size)]


class _Session:
    """One call of `train`: what the log already knows, and what has changed since the library was saved."""

    def __init__(
        self,
        team: Team,
        library: ExpLib,
        config: TrainConfig,
        run: RunLog,
        store_path: Path,
        on_progress: Callable[[Progress], None],
        stop: Stop,
    ) -> None:
        self.team = team
        self.library = library
        self.config = config
        self.run = run
        self.store_path = store_path
        self.on_progress = on_progress
        self.stop = stop
        self.progress = Progress()
        self.changed = False
        events = run.events()
        self.explored = {
            (e["epoch"], e["exploration"]["task"]["id"]): decode(Exploration, e["exploration"])
            for e in events
            if e["event"] == "explored" and not e["exploration"]["error"]
        }
        self.decided = {
            (e["epoch"], e["task"], e["number"]): decode(UpdateDecision, e["decision"])
            for e in events
            if e["event"] == "decided"
        }

    async def learn(self, epoch: int, wave: Sequence[Task]) -> None:
        """One wave: explorations run ahead, up to `batch_size` at once; updates follow in order."""
        frozen = self.library.snapshot() if self.config.use_library else None

        async def work(task: Task) -> Exploration | None:
            return await self.exploration(epoch, task, frozen)

        async for exploration in in_order(wave, work, self.config.batch_size):
            if exploration is None or self.progress.unfinished:  # the library follows the order of the tasks
                self.progress.unfinished += 1
                continue
            for number, experience in enumerate(exploration.experiences):
                await self.update(epoch, exploration.task, number, experience)
            self.progress.count(exploration)
            self.on_progress(self.progress)
            if self.progress.explored % self.config.batch_size == 0:
                self.save()

    async def exploration(self, epoch: int, task: Task, frozen: ExpLib | None) -> Exploration | None:
        """Explore and distil one task, or take it from the log; a refused call costs this task only."""
        if (known := self.explored.get((epoch, task.id))) is not None:
            return known
        if self.progress.unfinished or self.stop.reason:
            return None
        with span(f"task {task.id}", epoch=epoch):
            try:
                retrieval = await self.team.retriever.retrieve(task.question, frozen) if frozen else None
                trajectories = await explore(task, self.team.actor, self.team.verifier, self.config.limits, retrieval)
                experiences = await distill(trajectories, self.team.critic)
            except (EndpointError, ParseError) as error:
                log.warning("task %s failed: %s", task.id, error)
                result = Exploration(task, error=str(error))
            else:
                stamped = [self.stamped(experience) for experience in experiences]
                result = Exploration(task, tuple(trajectories), tuple(stamped))
        self.run.write("explored", epoch=epoch, exploration=result)
        return result

    def stamped(self, experience: Experience) -> Experience:
        provenance = {**experience.provenance, "run": self.config.run_name}
        return replace(experience, created_at=self.config.clock(), provenance=provenance)

    async def update(self, epoch: int, task: Task, number: int, experience: Experience) -> None:
        """Decide, log the decision, then apply it; an updater that breaks its contract changes nothing."""
        decision = self.decided.get((epoch, task.id, number))
        if decision is None:
            try:
                decision = await self.decide(experience)
            except (EndpointError, ParseError) as error:
                log.warning("task %s: experience %d is set aside: %s", task.id, number, error)
                self.run.write("set_aside", epoch=epoch, task=task.id, number=number, error=str(error))
                self.progress.set_aside += 1
                return
            self.run.write("decided", epoch=epoch, task=task.id, number=number, decision=decision)
            self.changed = True
        self.library.apply(experience, decision)
        self.progress.inserted += decision.action == "insert"
        self.progress.merged += decision.action == "merge"
        self.progress.discarded += decision.action == "discard"

    async def decide(self, experience: Experience) -> UpdateDecision:
        if self.config.direct_add:
            return UpdateDecision("insert", reason="direct_add")
        return await self.team.updater.decide(experience, self.library)

    def close(self) -> None:
        """Save at the end, what was only replayed too: the run before may have been killed before it saved."""
        self.changed = self.changed or self.progress.explored > self.progress.failed
        self.save()

    def save(self) -> None:
        """Bring log and library to disk; while a run is replayed the file, which is further on, is left alone."""
        self.run.sync()
        if self.changed:
            self.library.save(self.store_path)
            self.changed = False


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
