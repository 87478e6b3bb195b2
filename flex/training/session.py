"""One training run under way: what its log answers without a model, and what changes in its library."""

import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from flex.concurrency import Stop
from flex.echo import is_copy
from flex.endpoint.kept_replies import sample
from flex.errors import LibraryError, NoSuchEntry, Setback, Unusable
from flex.explib import ExpLib
from flex.files.atomic import json_bytes
from flex.files.jsonlines import decode, to_jsonable
from flex.files.runlog import RunLog
from flex.library.changes import Author
from flex.training.config import Team, TrainConfig
from flex.training.evolution import Evolution, Outcome, PendingUpdate, pending_updates
from flex.types import Exploration, Task, UpdateDecision
from flex.updater import Question

log = logging.getLogger(__name__)
ENOUGH_VERDICTS = 10
"""After so many verdicts a run stops if most of them could not be read."""
WORTH_SAVING = 1 / 20
"""A JSON library is saved within a batch, too, once so much of it changed: to write 15 MB takes a second."""


@dataclass(slots=True)
class Progress:
    """How far a training run has come; counts of this run, all epochs together."""

    explored: int = 0
    solved: int = 0
    failed: int = 0
    inserted: int = 0
    merged: int = 0
    discarded: int = 0
    quarantined: int = 0
    """Experiences whose decision could not be read; they are in the library's quarantine."""
    undecided: int = 0
    """Experiences about which something went wrong; they are in the log, a resumed run asks again."""
    unforeseen: int = 0
    """Errors that nobody foresaw, in tasks and about experiences; the log has their tracebacks."""
    not_distilled: int = 0
    """Rollouts, and contrasts, that gave no experience."""
    why_not_distilled: str = ""
    """The first reason."""
    attempts: int = 0
    cut_off: int = 0
    """Attempts that were cut off at the token limit."""
    filtered: int = 0
    empty: int = 0
    verdicts: int = 0
    """Attempts that the verifier was asked about."""
    unread: int = 0
    """Of these, those about which its reply was no verdict."""
    disagreements: int = 0
    """Of these, those about which it and the score said different things."""
    copied: int = 0
    """Verdicts, experiences and decisions that were dropped because they repeat their prompt."""
    unfinished: int = 0
    """Tasks that were not begun, or not learned from yet, when the run was stopped."""
    errors: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why tasks failed and experiences were set aside, each with how often."""

    def count(self, exploration: Exploration) -> None:
        self.explored += 1
        self.solved += exploration.solved
        if exploration.error:
            self.failed += 1
            self.unforeseen += bool(exploration.traceback)
            self.errors.append(exploration.error)
            self.reasons[exploration.reason or exploration.error] += 1
        else:
            self.not_distilled += len(exploration.undistilled)
            self.why_not_distilled = self.why_not_distilled or next(iter(exploration.undistilled), "")
        for attempt in (past.attempt for trajectory in exploration.trajectories for past in trajectory.rounds):
            self.cut_off += attempt.finish_reason == "length"
            self.filtered += attempt.finish_reason == "filtered"
            self.empty += attempt.finish_reason in ("empty", "tool_calls")
        for verdict in exploration.verdicts:
            by_verifier, by_score = verdict.accepted_by_verifier, verdict.accepted_by_score
            self.attempts += 1
            self.verdicts += by_verifier is not None or bool(verdict.problem)
            self.unread += bool(verdict.problem)
            self.disagreements += None not in (by_verifier, by_score) and by_verifier != by_score
        problems = [*(verdict.problem for verdict in exploration.verdicts), *exploration.undistilled]
        self.copied += sum(map(is_copy, problems))

    def count_decision(self, decision: UpdateDecision) -> None:
        self.inserted += decision.action == "insert"
        self.merged += decision.action == "merge"
        self.discarded += decision.action == "discard"
        self.quarantined += decision.action == "quarantine"
        self.copied += decision.action == "quarantine" and is_copy(decision.reason)


def learned(library: ExpLib, run_id: str) -> set[tuple[int, str, int]]:
    """(epoch, task, number) of the experiences that a run has brought into a library, read from its history."""
    changes = (change for change in library.history() if change.by.get("id") == run_id and "epoch" in change.source)
    return {(c.source["epoch"], c.source["tasks"][0], c.source["number"]) for c in changes}


def _logged(event: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """(name, key, value) of an event that a session is resumed from; no value of a task that failed."""
    name = event["event"]
    if name == "explored":
        explored = event["exploration"]
        key = event["epoch"], explored["task"]["id"]
        return name, key, None if explored["error"] else decode(Exploration, explored)
    if name == "decided":
        return name, (event["epoch"], event["task"], event["number"]), decode(UpdateDecision, event["decision"])
    return name, event.get("key"), decode(UpdateDecision, event["decision"]) if name == "answered" else None


@dataclass
class Session:
    """One call of `train`: what the log already knows, and what has changed since the library was saved."""

    team: Team
    library: ExpLib
    config: TrainConfig
    run: RunLog
    store_path: Path
    on_progress: Callable[[Progress], None]
    stop: Stop
    progress: Progress = field(default_factory=Progress)
    ended: Unusable | None = None
    """Why no task can be done any more."""

    def __post_init__(self) -> None:
        self._changes = 0
        """How many decisions the file does not know yet."""
        self._halted = False
        self._judged = Progress()
        """What this session explored itself, as soon as it is there."""
        logged = self.run.read(_logged)
        self._explored = {key: value for event, key, value in logged if event == "explored" and value is not None}
        self._decided: dict[tuple[int, str, int], UpdateDecision] = {
            key: value for event, key, value in logged if event == "decided"
        }
        self._answered = {key: value for event, key, value in logged if event == "answered"}
        self._learned = learned(self.library, self.config.run_id) if self._decided and self.config.run_id else set()

    @property
    def stopping(self) -> bool:
        """Whether no further task is to be begun."""
        return bool(self.ended or self.progress.unfinished or self.stop.reason)

    def end(self, error: Exception) -> None:
        """Begin no further task; what is under way ends and is kept. Raises an error that is no end of a run."""
        if (why := Setback.of(error).ends_run) is None:
            raise error
        self.ended = self.ended or why

    def explored(self, epoch: int, task: Task) -> Exploration | None:
        """What an earlier session of this run logged of a task; None where it failed or was not begun."""
        return self._explored.get((epoch, task.id))

    def log_exploration(self, epoch: int, exploration: Exploration) -> Exploration:
        """The exploration, its experiences stamped with time and run; from now on the log knows it."""
        stamped = [
            replace(e, created_at=self.config.clock(), provenance={**e.provenance, "run": self.config.run_name})
            for e in exploration.experiences
        ]
        exploration = replace(exploration, experiences=tuple(stamped))
        self.run.write("explored", epoch=epoch, exploration=exploration)
        self._judged.count(exploration)
        self._stop_without_verdicts(exploration)
        return exploration

    def updates(
        self, epoch: int, explorations: AsyncIterator[Exploration | None]
    ) -> AsyncGenerator[tuple[PendingUpdate, Outcome | None]]:
        """What to do with each experience, in order; the caller applies one before it takes the next."""
        evolution = Evolution(self.library, self._question, self._answer, self.config.speculate)
        return evolution.outcomes(self._arrivals(epoch, explorations))

    def apply(self, update: PendingUpdate, outcome: Outcome | None) -> None:
        """Log a decision and apply it to the library; after a task's last one, count the task and save what is due.

        Once one could not be had because the run is over, nothing more is learned: what follows might depend on it.
        """
        if isinstance(outcome, UpdateDecision) and not self._halted:
            outcome = self._applied(update, outcome)
        if isinstance(outcome, Setback) and outcome.ends_run:
            self.end(outcome.ends_run)
            self._halted = True
        if self._halted:
            self.progress.unfinished += update.last
            return
        if isinstance(outcome, Setback):
            self._set_aside(update, outcome)
        if update.last:
            self.progress.count(update.exploration)
            self.on_progress(self.progress)
            if self.progress.explored % self.config.batch_size == 0 or self._worth_saving():
                self._save()

    def _set_aside(self, update: PendingUpdate, setback: Setback) -> None:
        epoch, task, number = update.key
        log.warning("task %s: experience %d is set aside: %s", task, number, setback.traceback or setback)
        told = {"error": str(setback), "traceback": setback.traceback}
        self.run.write("set_aside", epoch=epoch, task=task, number=number, **told)
        self.progress.undecided += 1
        self.progress.unforeseen += setback.unforeseen
        self.progress.reasons[setback.reason] += 1

    def close(self) -> None:
        """Save at the end, also what was only replayed: the run before may have been killed before it saved."""
        self._changes += self.progress.explored > self.progress.failed
        self._save()

    async def _arrivals(
        self, epoch: int, explorations: AsyncIterator[Exploration | None]
    ) -> AsyncGenerator[list[PendingUpdate]]:
        """The experiences of each exploration; after a task that was not begun, nothing more is learned."""
        async for exploration in explorations:
            if exploration is None or self.progress.unfinished:
                self.progress.unfinished += 1
            else:
                task = exploration.task.id
                yield pending_updates(exploration, epoch, {n for e, t, n in self._learned if (e, t) == (epoch, task)})

    def _question(self, update: PendingUpdate, library: ExpLib) -> UpdateDecision | Question:
        """What to ask the updater about an experience, or the decision that the log has of it."""
        assert update.experience is not None
        decided = self._decided.get(update.key)
        if decided is not None and all(one in library for one in (decided.target, *decided.contradicts) if one):
            return decided
        if self.config.direct_add:
            return UpdateDecision("insert", reason="direct_add")
        return self.team.updater.question(update.experience, library)

    async def _answer(self, update: PendingUpdate, question: Question) -> UpdateDecision:
        """The updater's answer; one that was paid for before, even in an earlier session, is not asked for again."""
        key = sha256(json_bytes(to_jsonable(question))).hexdigest()
        if (answer := self._answered.get(key)) is None:
            with sample("update"):  # a new one each time: whenever it is asked, the answer is the same
                answer = self._answered[key] = await self.team.updater.answer(question)
            self.run.write("answered", key=key, decision=answer)
        return answer

    def _applied(self, update: PendingUpdate, decision: UpdateDecision) -> Setback | None:
        """What went wrong when a decision was applied, if anything did; the library then is as it was."""
        try:
            self._apply(update, decision)
        except Exception as error:  # as in flex/training/evolution.py
            return Setback.of(error)
        return None

    def _apply(self, update: PendingUpdate, decision: UpdateDecision) -> None:
        assert update.experience is not None
        epoch, task, number = update.key
        if self._decided.get(update.key) != decision:
            self.run.write("decided", epoch=epoch, task=task, number=number, decision=decision)
            self._changes += 1
        author = self._author(epoch, number)
        try:
            self.library.apply(update.experience, decision, author)
        except NoSuchEntry as error:
            if not self.config.run_id:
                raise
            # Another trainer of the database has just removed the entry that this was about.
            decision = UpdateDecision("quarantine", reason=str(error))
            self.library.apply(update.experience, decision, author)
        self.progress.count_decision(decision)

    def _stop_without_verdicts(self, latest: Exploration) -> None:
        """Ask for a stop when the verifier cannot do its part: who goes on pays for attempts without feedback."""
        unread, verdicts = self._judged.unread, self._judged.verdicts
        if verdicts >= ENOUGH_VERDICTS and 2 * unread > verdicts:
            problem = next((verdict.problem for verdict in latest.verdicts if verdict.problem), "")
            why = f"{unread} of {verdicts} replies of the verifier were no verdict"
            self.stop.request(f"{why}; another --verifier_model may do better" + f" ({problem})" * bool(problem))

    def _author(self, epoch: int, number: int) -> Author:
        """Who changes the library, for its history."""
        updater, config = self.team.updater, self.config
        by = {"run": config.run_name, "model": updater.model.name, "prompt": updater.prompts.sha256("updater")[:12]}
        return Author(by | ({"id": config.run_id} if config.run_id else {}), {"epoch": epoch, "number": number})

    def _worth_saving(self) -> bool:
        """Whether a JSON library that is killed now would lose much; a database holds every change already."""
        return bool(self._changes) and not self.config.run_id and self._changes >= WORTH_SAVING * len(self.library)

    def _save(self) -> None:
        """Bring log and library to disk; while a run is replayed the file, which is further on, is left alone."""
        try:
            self.run.sync()
            if self._changes:
                self.library.save(self.store_path)
                self._changes = 0
        except (LibraryError, OSError) as error:
            self.end(error)
