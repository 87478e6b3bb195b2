"""The training loop: explore by rejection sampling, distil every rollout, evolve the library (paper, section 3).

Exploration of many tasks is concurrent and reads nothing mutable; library changes are applied in dataset order.
So the same replies always build the same library, whatever the timing. The run's log answers before a model is
asked: a run that is started again with the same folder pays for nothing twice.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from flex.actor import Actor
from flex.concurrency import Stop, in_order
from flex.critic import Critic
from flex.errors import EndpointError, LibraryError, ParseError
from flex.explib import ExpLib
from flex.exploring import Limits, distill, explore, process_task
from flex.files.atomic import json_bytes
from flex.files.clock import now
from flex.files.jsonlines import decode, to_jsonable
from flex.files.runlog import RunLog
from flex.library.changes import Author
from flex.memory_retriever import MemoryRetriever
from flex.telemetry import span
from flex.training.evolution import Evolution, Outcome, Turn, turns_of
from flex.types import Experience, Exploration, Task, UpdateDecision
from flex.updater import Question, Updater
from flex.verifier import Verifier

__all__ = ["Limits", "Progress", "Team", "TrainConfig", "explore", "process_task", "train"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train; `batch_size` tasks are explored at a time, and the library is saved after as many."""

    limits: Limits = field(default_factory=Limits)
    epochs: int = 1
    batch_size: int = 20
    direct_add: bool = False
    """Insert every experience without asking the updater."""
    contrast: bool = False
    """Where a task has failed and solved rollouts, distil what made the difference, too."""
    use_library: bool = False
    """Let the actor consult the library as it was when the batch began."""
    run_name: str = ""
    run_id: str = ""
    """Tells this run from others in the history of a database, so that a resumed run repeats nothing."""
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
    quarantined: int = 0
    """Experiences whose decision could not be read; they are in the library's quarantine."""
    set_aside: int = 0
    """Experiences that the endpoint gave no decision on; they are in the log, a resumed run asks again."""
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
            contrasts = sum("rollouts" in e.provenance for e in exploration.experiences)
            self.undistilled += len(exploration.trajectories) + contrasts - len(exploration.experiences)
        for verdict in (r.verdict for t in exploration.trajectories for r in t.rounds):
            self.verdicts += 1
            if verdict.score is not None and verdict.accepted_by_verifier is not None:
                self.disagreements += verdict.accepted_by_verifier != (verdict.score >= 1)

    def carried_out(self, decision: UpdateDecision) -> None:
        self.inserted += decision.action == "insert"
        self.merged += decision.action == "merge"
        self.discarded += decision.action == "discard"
        self.quarantined += decision.action == "quarantine"


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


def learned(library: ExpLib, run_id: str) -> set[tuple[int, str, int]]:
    """(epoch, task, number) of the experiences that a run has brought into a library, as its history tells."""
    changes = (change for change in library.history() if change.by.get("id") == run_id and "epoch" in change.source)
    return {(c.source["epoch"], c.source["tasks"][0], c.source["number"]) for c in changes}


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
        self.answered = {e["key"]: decode(UpdateDecision, e["decision"]) for e in events if e["event"] == "answered"}
        self.learned = learned(library, config.run_id) if self.decided and config.run_id else set()

    async def learn(self, epoch: int, wave: Sequence[Task]) -> None:
        """One wave: explorations run ahead, up to `batch_size` at once; updates follow in order."""
        frozen = self.library.view() if self.config.use_library else None
        evolution = Evolution(self.library, partial(self.question, epoch), partial(self.answer, epoch))
        async for turn, outcome in evolution.outcomes(self.arrivals(epoch, wave, frozen)):
            self.update(epoch, turn, outcome)
            if turn.last:
                self.progress.count(turn.exploration)
                self.on_progress(self.progress)
                if self.progress.explored % self.config.batch_size == 0:
                    self.save()

    async def arrivals(self, epoch: int, wave: Sequence[Task], frozen: ExpLib | None) -> AsyncGenerator[list[Turn]]:
        """What the tasks brought, in their order; after one that was not begun none is learned from."""

        async def work(task: Task) -> Exploration | None:
            return await self.exploration(epoch, task, frozen)

        async with aclosing(in_order(wave, work, self.config.batch_size)) as explorations:
            async for exploration in explorations:
                if exploration is None or self.progress.unfinished:
                    self.progress.unfinished += 1
                else:
                    task = exploration.task.id
                    yield turns_of(exploration, {number for e, t, number in self.learned if (e, t) == (epoch, task)})

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
                experiences = await distill(trajectories, self.team.critic, self.config.contrast)
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

    def question(self, epoch: int, turn: Turn, library: ExpLib) -> UpdateDecision | Question:
        """What the updater is asked about an experience; a decision that was made before stands."""
        assert turn.experience is not None
        decided = self.decided.get((epoch, turn.exploration.task.id, turn.number))
        if decided is not None and all(one in library for one in (decided.target, *decided.contradicts) if one):
            return decided
        if self.config.direct_add:
            return UpdateDecision("insert", reason="direct_add")
        return self.team.updater.question(turn.experience, library)

    async def answer(self, epoch: int, turn: Turn, question: Question) -> UpdateDecision:
        """The updater's answer; one that was paid for before, in an earlier session too, is not asked for again."""
        key = sha256(json_bytes(to_jsonable(question))).hexdigest()
        if (known := self.answered.get(key)) is None:
            known = self.answered[key] = await self.team.updater.answer(question)
            self.run.write("answered", key=key, decision=known)
        return known

    def update(self, epoch: int, turn: Turn, outcome: Outcome | None) -> None:
        """Log a decision, then apply it; an endpoint that gave up on it sets the experience aside."""
        task, number = turn.exploration.task.id, turn.number
        if turn.experience is None:
            return
        if not isinstance(outcome, UpdateDecision):
            log.warning("task %s: experience %d is set aside: %s", task, number, outcome)
            self.run.write("set_aside", epoch=epoch, task=task, number=number, error=str(outcome))
            self.progress.set_aside += 1
            return
        key = (epoch, task, number)
        if self.decided.get(key) != outcome:
            self.run.write("decided", epoch=epoch, task=task, number=number, decision=outcome)
            self.changed = True
        try:
            self.library.apply(turn.experience, outcome, self.author(epoch, number))
        except LibraryError as error:
            if not self.config.run_id:
                raise
            # Another trainer of the database has just taken away what this was about.
            outcome = UpdateDecision("quarantine", reason=str(error))
            self.library.apply(turn.experience, outcome, self.author(epoch, number))
        self.progress.carried_out(outcome)

    def author(self, epoch: int, number: int) -> Author:
        """Who changes the library, as its history says it."""
        updater, config = self.team.updater, self.config
        by = {"run": config.run_name, "model": updater.model.name, "prompt": updater.prompts.sha256("updater")[:12]}
        return Author(by | ({"id": config.run_id} if config.run_id else {}), {"epoch": epoch, "number": number})

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
