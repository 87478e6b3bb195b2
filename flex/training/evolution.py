"""The library evolves (paper, 3.2) by speculative execution: decisions are asked for early, applied in order.

A decision depends on the library, and the library on every decision before it. Waiting for each answer would cost one
call of the updater per experience, one after the other. So: ask the updater about several experiences at once, each
against a draft library in which the earlier ones are already applied as predicted. When an experience's turn comes and
its question has not changed, use the answer; otherwise ask again.

Three experiences, each predicted to be inserted; A turns out to be merged into an entry that C is similar to as well:

    time      ----------------------------------------------------------------->
    A         |== ask ==| merge: mispredicted
                        apply A
    B         |===== ask =====|  question unchanged: use the answer
                              apply B
    C         |== ask ==|                                     (the question was about the entry before the merge)
                        |====== ask again ======|
                                                apply C

What is applied is always the answer to the question that the library as it then is raises. So the same replies give
the same library, however long a model takes, and a wrong prediction costs calls only where it changes a question.

A call whose question changes is wasted. So only `AHEAD` calls are made before their turn, and fewer as long as to waste
them all would make more than `WASTE` wasted calls per decision.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flex.errors import ParseError, Setback
from flex.explib import ExpLib
from flex.types import Experience, Exploration, UpdateDecision
from flex.updater import Question

MAX_SPECULATIVE = 64
"""Experiences that are looked at before their turn, at most."""
WASTE = 0.5
"""Calls per decision that may be wasted, unless `speculate` says how many are made ahead."""
AHEAD = 4
"""Calls ahead of their turn; with more of them a run was no faster, only dearer."""
INSERT = UpdateDecision("insert")
"""What is predicted as long as there is no answer: most experiences are inserted."""
Outcome = UpdateDecision | Setback
"""A decision, or why there is none."""


@dataclass(slots=True, eq=False)
class PendingUpdate:
    """An experience that waits for its decision; `experience` is None where there is nothing to decide."""

    exploration: Exploration
    epoch: int
    number: int
    """The experience's position in its exploration, from 0."""
    experience: Experience | None
    last: bool
    """Whether it is the last one of its exploration."""
    asked: UpdateDecision | Question | Setback | None = None
    predicted: UpdateDecision | None = None
    answer: "asyncio.Task[UpdateDecision] | None" = None

    @property
    def key(self) -> tuple[int, str, int]:
        """(epoch, task, number), which is how the log and the library's history name an experience."""
        return self.epoch, self.exploration.task.id, self.number

    def outcome(self) -> Outcome | None:
        """The outcome; None as long as there is none. A decision that cannot be read becomes a quarantine."""
        if isinstance(self.asked, Outcome):
            return self.asked
        if self.answer is None or not self.answer.done():
            return None
        try:
            return self.answer.result()
        except ParseError as error:
            return UpdateDecision("quarantine", reason=str(error))
        except Exception as error:  # an experience is a bulkhead as a task is, see flex/errors.py
            return Setback.of(error)

    @property
    def mispredicted(self) -> bool:
        """Whether there is an outcome, and it changes the library in another way than predicted."""
        outcome = self.outcome()
        return outcome is not None and _effect(outcome) != self.predicted


def pending_updates(exploration: Exploration, epoch: int = 0, learned: Collection[int] = ()) -> list[PendingUpdate]:
    """One for every experience, or a single one without; those in `learned` (numbers) are in the library already."""
    experiences: Sequence[Experience | None] = exploration.experiences or (None,)
    last = len(experiences) - 1
    return [
        PendingUpdate(exploration, epoch, number, None if number in learned else experience, last=number == last)
        for number, experience in enumerate(experiences)
    ]


@dataclass
class Evolution:
    """Decides on experiences as they arrive.

    `question(update, library)` is what to ask, or a decision that needs no question; `answer(update, question)` asks.
    """

    library: ExpLib
    question: Callable[[PendingUpdate, ExpLib], UpdateDecision | Question]
    answer: Callable[[PendingUpdate, Question], Coroutine[Any, Any, UpdateDecision]]
    ahead: int | None = None
    """How many are asked about before their turn; None: `AHEAD`, as far as `WASTE` allows."""

    def __post_init__(self) -> None:
        self._draft = self.library.copy() or self.library
        self._waiting: list[PendingUpdate] = []
        self._speculated = 0
        """How many of those that wait are applied to the draft as predicted."""
        self._decided = self._wasted = 0

    async def outcomes(
        self, arrivals: AsyncGenerator[Sequence[PendingUpdate]]
    ) -> AsyncGenerator[tuple[PendingUpdate, Outcome | None]]:
        """Every update with its outcome, in order; the caller applies each one before it takes the next.

        When the arrivals fail, those that have arrived are decided on first.
        """
        arriving: asyncio.Task[Sequence[PendingUpdate] | None] | None = asyncio.ensure_future(anext(arrivals, None))
        try:
            while self._waiting or arriving:
                self._speculate()
                while (ready := self._next()) is not None:
                    yield ready
                    self._speculate()
                asked = [update.answer for update in self._waiting if update.answer and not update.answer.done()]
                coming = [arriving] if arriving and not (arriving.done() and self._waiting) else []
                if coming or asked:
                    await asyncio.wait([*asked, *coming], return_when=asyncio.FIRST_COMPLETED)
                if arriving and arriving.done() and (not self._waiting or arriving.exception() is None):
                    arrived = arriving.result()
                    self._waiting += arrived or ()
                    arriving = None if arrived is None else asyncio.ensure_future(anext(arrivals, None))
        finally:
            under_way: list[asyncio.Task[Any]] = [update.answer for update in self._waiting if update.answer]
            under_way += [arriving] if arriving else []
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            await arrivals.aclose()

    def _speculate(self) -> None:
        """Ask about those to come, as far as that may be; after a misprediction, start again from the real library."""
        if any(update.mispredicted for update in self._waiting[: self._speculated]):
            self._draft, self._speculated = self.library.copy() or self.library, 0
        for update in self._waiting[self._speculated : MAX_SPECULATIVE]:
            if not self._predict(update):
                break
            self._speculated += 1

    def _predict(self, update: PendingUpdate) -> bool:
        """Ask about an update against the draft, and apply to the draft what is likely to come of it; if it may be."""
        if update.experience is None:
            return True
        asked = self._question(update, self._draft)
        if isinstance(asked, Question) and asked != update.asked and self._speculated and not self._may_ask_ahead():
            return False
        self._ask(update, asked)
        outcome = update.outcome()
        update.predicted = INSERT if outcome is None else _effect(outcome)
        if update.predicted is not None and self._draft is not self.library:
            self._draft.apply(update.experience, update.predicted)
        return True

    def _may_ask_ahead(self) -> bool:
        """Whether one more may be asked before its turn."""
        at_risk = sum(isinstance(update.asked, Question) for update in self._waiting[1:])
        if self.ahead is not None:
            return at_risk < self.ahead
        return at_risk < AHEAD and self._wasted + at_risk < WASTE * (self._decided + 1)

    def _question(self, update: PendingUpdate, library: ExpLib) -> UpdateDecision | Question | Setback:
        try:
            return self.question(update, library)
        except Exception as error:  # as above
            return Setback.of(error)

    def _ask(self, update: PendingUpdate, asked: UpdateDecision | Question | Setback) -> None:
        """Ask, unless the same question was asked already."""
        if asked == update.asked:
            return
        if update.answer is not None:
            update.answer.cancel()
            self._wasted += 1
        update.asked = asked
        asking = None if isinstance(asked, Outcome) else self.answer(update, asked)
        update.answer = asyncio.ensure_future(asking) if asking else None

    def _next(self) -> tuple[PendingUpdate, Outcome | None] | None:
        """The first update with its outcome, once that is the answer to the library as it is; it leaves the queue."""
        if not self._waiting or not self._speculated:
            return None
        update = self._waiting[0]
        if update.experience is not None:
            self._ask(update, self._question(update, self.library))  # another process may have changed a database
            if update.outcome() is None or update.mispredicted:
                return None
            self._decided += update.answer is not None
        self._speculated -= 1
        return self._waiting.pop(0), update.outcome()


def _effect(outcome: Outcome) -> UpdateDecision | None:
    """How an outcome changes the library; its reason does not count."""
    return replace(outcome, reason="") if isinstance(outcome, UpdateDecision) else None
