"""The library evolves: decisions are asked ahead of their turn and carried out in order (paper, 3.2).

A decision is about a new experience and the entries most similar to it. Those may still change while experiences before
it wait for their own decisions. So each is asked what it would be asked *if those before it turn out as foreseen*; when
its turn comes and the question still is the same, the answer holds; otherwise it is asked again. What is carried out is
therefore always the answer to the library as it then is: the same replies give the same library, however long a model
takes, and no experience waits for an answer that does not concern it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flex.errors import EndpointError, ParseError
from flex.explib import ExpLib
from flex.types import Experience, Exploration, UpdateDecision
from flex.updater import Question

AHEAD = 64
"""Experiences that are asked about ahead of their turn, at most."""
INSERT = UpdateDecision("insert")
Outcome = UpdateDecision | EndpointError
"""What came of asking: a decision, or why there is none."""


@dataclass(slots=True, eq=False)
class Turn:
    """An experience that waits for its decision; None where there is nothing to decide."""

    exploration: Exploration
    number: int
    experience: Experience | None
    last: bool
    """Of its exploration."""
    asked: UpdateDecision | Question | None = None
    foreseen: UpdateDecision | None = None
    answer: "asyncio.Task[UpdateDecision] | None" = None

    def outcome(self) -> Outcome | None:
        """What came of it; None as long as nothing has. A decision that cannot be read puts into quarantine."""
        if self.answer is None or isinstance(self.asked, UpdateDecision):
            return self.asked if isinstance(self.asked, UpdateDecision) else None
        if not self.answer.done():
            return None
        try:
            return self.answer.result()
        except ParseError as error:
            return UpdateDecision("quarantine", reason=str(error))
        except EndpointError as error:
            return error

    def surprising(self) -> bool:
        """Whether it turned out otherwise than foreseen."""
        outcome = self.outcome()
        return outcome is not None and _effect(outcome) != self.foreseen


def turns_of(exploration: Exploration, done: Collection[int] = ()) -> list[Turn]:
    """One turn for every experience, or one without; those whose numbers are `done` are in the library already."""
    experiences: Sequence[Experience | None] = exploration.experiences or (None,)
    last = len(experiences) - 1
    return [
        Turn(exploration, number, None if number in done else one, number == last)
        for number, one in enumerate(experiences)
    ]


class Evolution:
    """Decides on experiences as they arrive.

    `question(turn, library)` is what there is to ask, or a decision that needs none; `answer(turn, question)` asks.
    """

    def __init__(
        self,
        library: ExpLib,
        question: Callable[[Turn, ExpLib], UpdateDecision | Question],
        answer: Callable[[Turn, Question], Coroutine[Any, Any, UpdateDecision]],
    ) -> None:
        self._library = library
        self._question = question
        self._answer = answer
        self._draft = library.copy() or library
        self._waiting: list[Turn] = []
        self._seen = 0

    async def outcomes(self, arrivals: AsyncGenerator[Sequence[Turn]]) -> AsyncIterator[tuple[Turn, Outcome | None]]:
        """Every turn with its outcome, in order, each when it is to be carried out, before the next one is taken.

        When the arrivals fail, those that have arrived are decided on first.
        """
        arriving: asyncio.Task[Sequence[Turn] | None] | None = asyncio.ensure_future(anext(arrivals, None))
        try:
            while self._waiting or arriving:
                self._look_ahead()
                while (ready := self._next()) is not None:
                    yield ready
                    self._look_ahead()
                under_way = [turn.answer for turn in self._waiting if turn.answer and not turn.answer.done()]
                coming = [arriving] if arriving and not (arriving.done() and self._waiting) else []
                if coming or under_way:
                    await asyncio.wait([*under_way, *coming], return_when=asyncio.FIRST_COMPLETED)
                if arriving and arriving.done() and (not self._waiting or arriving.exception() is None):
                    arrived = arriving.result()
                    self._waiting += arrived or ()
                    arriving = None if arrived is None else asyncio.ensure_future(anext(arrivals, None))
        finally:
            await self._leave(arriving)
            await arrivals.aclose()

    def _look_ahead(self) -> None:
        """Ask those that have come near; after a surprise, whoever it concerns once more."""
        if any(turn.surprising() for turn in self._waiting[: self._seen]):
            self._draft, self._seen = self._library.copy() or self._library, 0
        for turn in self._waiting[self._seen : AHEAD]:
            self._foresee(turn)
            self._seen += 1

    def _foresee(self, turn: Turn) -> None:
        """Ask about a turn as the library will be then, and let the draft of it go one step further."""
        if turn.experience is None:
            return
        self._ask(turn, self._question(turn, self._draft))
        outcome = turn.outcome()
        turn.foreseen = INSERT if outcome is None else _effect(outcome)
        if turn.foreseen is not None and self._draft is not self._library:
            self._draft.apply(turn.experience, turn.foreseen)

    def _ask(self, turn: Turn, asked: UpdateDecision | Question) -> None:
        if asked == turn.asked:
            return
        if turn.answer is not None:
            turn.answer.cancel()
        turn.asked = asked
        turn.answer = None if isinstance(asked, UpdateDecision) else asyncio.ensure_future(self._answer(turn, asked))

    def _next(self) -> tuple[Turn, Outcome | None] | None:
        """The first turn, if what came of it may be carried out; it leaves the queue."""
        if not self._waiting or not self._seen:
            return None
        turn = self._waiting[0]
        if turn.experience is not None:
            self._ask(turn, self._question(turn, self._library))  # another process may have changed a database
            if turn.outcome() is None or turn.surprising():
                return None
        self._seen -= 1
        return self._waiting.pop(0), turn.outcome()

    async def _leave(self, arriving: "asyncio.Task[Sequence[Turn] | None] | None") -> None:
        under_way: list[asyncio.Task[Any]] = [turn.answer for turn in self._waiting if turn.answer]
        under_way += [arriving] if arriving else []
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _effect(outcome: Outcome) -> UpdateDecision | None:
    """What an outcome does to the library, whatever its reason."""
    return replace(outcome, reason="") if isinstance(outcome, UpdateDecision) else None
