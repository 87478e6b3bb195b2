"""What gives a test task away: a training task that is the same, or an experience that quotes it.

Four kinds of evidence, the strongest first:

- `provenance`: the experience was learned from the task, or from a training task that is the same.
- `exact`: the question is there word for word (retro: the same product in whatever notation).
- `near`: a share of at least NEAR of the question's three-word sequences is there (NEAR_FEW_NUMBERS where there is
  hardly a number to check), and every number of the question, each beside a neighbour of its own: the same problem with
  other numbers is another problem. A sequence that many questions share ("where m and n are relatively prime") counts
  as much less. Between tasks all numbers are the same; where the answer is, too, ANSWER is enough.
- `answer`: retro: the canonical reactants; a text of at least four words: the words. A number alone proves nothing,
  "204" stands everywhere: it counts beside all numbers of the question (at least two, the answer not among them, two
  thirds in place) and a share of at least ANSWER of the question's sequences.

NEAR and ANSWER are measured on 49 AIME problems, 500 of GSM8K and a library learned from the former.
"""

import re
import textwrap
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from flex.benchmarks.base import Benchmark
from flex.evaluation.overlap import Gram, WordSequence
from flex.search.query import searchable
from flex.text import one_line, words
from flex.types import Experience, Task

NEAR, NEAR_FEW_NUMBERS, ANSWER = 0.3, 0.4, 0.15
IN_PLACE = 2 / 3
LEAST = 5
"""Distinct sequences of a question that is recognised by some of them; a shorter one only word for word."""
SPECIFIC = 4
"""Words of an answer that is no coincidence."""
EXCERPT = 100

T = TypeVar("T")
Kind = Literal["provenance", "exact", "near", "answer"]
Place = Literal["library", "train"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Found = dict[int, tuple[Kind, float]]
"""By the task's number: the strongest evidence, and the share of the question that is there."""
_PROVEN: tuple[Kind, float] = ("provenance", 1.0)
_ANSWERED: tuple[Kind, float] = ("answer", 1.0)
_EXACT: tuple[Kind, float] = ("exact", 1.0)


@dataclass(frozen=True, slots=True)
class Leak:
    """One test task that something gives away; `where` is the id of an experience or of a training task."""

    task_id: str
    kind: Kind
    where: str
    similarity: float
    """From 0 to 1: the share of the question that is there; 1 for provenance, and for the answer to a retro task."""
    excerpt: str = ""
    place: Place = "library"

    def __str__(self) -> str:
        where = "experience" if self.place == "library" else "training task"
        return f"{self.task_id}: {self.kind} in {where} {self.where} ({self.similarity:.2f}): {self.excerpt}"


def find_leaks(
    tasks: Sequence[Task], train_tasks: Sequence[Task], library: Iterable[Experience] | None, benchmark: Benchmark
) -> list[Leak]:
    """Every pair of a test task and a training task or experience that gives it away, with its strongest evidence.

    In the order of the tasks, training tasks before experiences; the same input gives the same list. Where a task is
    itself what may be learned from, and is scored on what it does not show, the same task gives nothing away.
    """
    guard = _Wording(tasks, train_tasks, benchmark) if benchmark.quoted("") is None else _Quotes(tasks, benchmark)
    sources = [set() if benchmark.learns_within else {_source(task.id)} for task in tasks]
    leaks: list[tuple[int, Leak]] = []
    for other in train_tasks:
        found = guard.in_task(other)
        if benchmark.learns_within:
            found = {n: evidence for n, evidence in found.items() if _source(tasks[n].id) != _source(other.id)}
        for number in found:
            sources[number].add(_source(other.id))
        leaks += guard.leaks(found, other.id, other.question, "train")
    learners = _by_value(sources)
    for experience in library or ():
        said = searchable(experience)
        learned = {number for source in _learned_from(experience) for number in learners.get(source, ())}
        leaks += guard.leaks(guard.in_text(said) | dict.fromkeys(learned, _PROVEN), experience.id, said, "library")
    return [leak for _, leak in sorted(leaks, key=lambda pair: pair[0])]


def hidden_from(leaks: Iterable[Leak], place: Place = "library") -> dict[str, frozenset[str]]:
    """By task, the ids of the experiences (or, of place "train", the training tasks) to be hidden from it."""
    found: dict[str, set[str]] = {}
    for leak in leaks:
        if leak.place == place:
            found.setdefault(leak.task_id, set()).add(leak.where)
    return {task_id: frozenset(ids) for task_id, ids in found.items()}


def table(leaks: Sequence[Leak]) -> str:
    """The leaks side by side, one a line: task, kind, where, similarity, excerpt."""
    rows = [("task", "kind", "where", "similarity", "excerpt")]
    rows += [(leak.task_id, leak.kind, leak.where, f"{leak.similarity:.2f}", leak.excerpt) for leak in leaks]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return "\n".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])).rstrip()
        for row in rows
    )


def counts(leaks: Sequence[Leak], tasks: int, experiences: int, train_tasks: int = 0) -> str:
    kinds = Counter(leak.kind for leak in leaks)
    inside = [leak for leak in leaks if leak.place == "library"]
    line = (
        f"{len({leak.task_id for leak in inside})} of {tasks} tasks are given away by "
        f"{len({leak.where for leak in inside})} of {experiences} experiences"
    )
    if train_tasks:
        line += (
            f", {len({leak.task_id for leak in leaks if leak.place == 'train'})} by the {train_tasks} training tasks"
        )
    by_kind = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])
    return f"{line}: {by_kind}" if by_kind else line


class _Guard(ABC):
    """How the text of a benchmark is compared with the test tasks."""

    def __init__(self, tasks: Sequence[Task], benchmark: Benchmark) -> None:
        self.tasks = tasks
        self.benchmark = benchmark
        self.questions = _by_value([{benchmark.fingerprint(task.question)} for task in tasks])

    def in_task(self, other: Task) -> Found:
        """The test tasks that a training task gives away."""
        return dict.fromkeys(self.questions.get(self.benchmark.fingerprint(other.question), ()), _EXACT)

    @abstractmethod
    def in_text(self, text: str) -> Found:
        """The test tasks that the text of an experience gives away."""

    @abstractmethod
    def marks(self, text: str) -> Set[object]:
        """What a text and the task it gives away have in common."""

    def leaks(self, found: Found, where: str, text: str, place: Place) -> Iterator[tuple[int, Leak]]:
        """What was found, with the piece of the text that shows it best."""
        pieces = [(piece, self.marks(piece)) for piece in _pieces(text)] if found else []
        for number, (kind, share) in sorted(found.items()):
            task = self.tasks[number]
            wanted = self.marks(task.question) | self.marks(task.target or "")
            excerpt = max(pieces, key=lambda piece: len(piece[1] & wanted), default=("", ()))[0]
            yield number, Leak(task.id, kind, where, round(share, 3), one_line(excerpt, 2 * EXCERPT), place)


class _Quotes(_Guard):
    """By fingerprints alone: for benchmarks whose questions and answers are found in a text whatever their notation."""

    def __init__(self, tasks: Sequence[Task], benchmark: Benchmark) -> None:
        super().__init__(tasks, benchmark)
        self.answers = _by_value([{benchmark.fingerprint(task.target)} if task.target else () for task in tasks])

    def in_text(self, text: str) -> Found:
        found: Found = {}
        quoted = self.marks(text)
        for evidence, sought in ((_ANSWERED, self.answers), (_EXACT, self.questions)):
            found |= dict.fromkeys((number for value in quoted for number in sought.get(value, ())), evidence)
        return found

    def marks(self, text: str) -> Set[str]:
        return set(self.benchmark.quoted(text) or ())


class _Wording(_Guard):
    """By sequences of words, looked up in an index of the questions."""

    def __init__(self, tasks: Sequence[Task], others: Sequence[Task], benchmark: Benchmark) -> None:
        super().__init__(tasks, benchmark)
        self.asked = [WordSequence(task.question) for task in tasks]
        self.answers = [WordSequence(task.target or "") for task in tasks]
        shared = Counter(
            gram for said in (*self.asked, *(WordSequence(o.question) for o in others)) for gram in said.grams
        )
        self.weights = {gram: 1 / count for gram, count in shared.items()}
        self.totals = [sum(self.weights[gram] for gram in said.grams) for said in self.asked]
        self.by_gram = _by_value(said.grams for said in self.asked)
        repeated = Counter(answer.joined for answer in self.answers)
        self.by_answer = _by_value(
            list(answer.grams)[:1]
            if len(answer.words) >= SPECIFIC and repeated[answer.joined] == 1 and not said.holds(answer)
            else ()
            for said, answer in zip(self.asked, self.answers, strict=True)
        )

    def in_task(self, other: Task) -> Found:
        said = WordSequence(other.question)
        found: Found = {}
        for number, share in self._similar(said).items():
            question = self.asked[number]
            alike = bool(other.target) and self.answers[number].words == words(other.target or "")
            if share >= _enough(question, alike) and question.numbers == said.numbers:
                found[number] = ("near", share)
        return found | super().in_task(other)

    def in_text(self, text: str) -> Found:
        said = WordSequence(text)
        found: Found = {}
        for gram in said.grams.keys() & self.by_answer.keys():
            found |= {number: _ANSWERED for number in self.by_answer[gram] if said.holds(self.answers[number])}
        for number, share in self._similar(said).items():
            if kind := self._kind(number, share, said):
                found[number] = (kind, share)
        return found

    def marks(self, text: str) -> Set[Gram]:
        return WordSequence(text).pairs

    def _similar(self, said: WordSequence) -> dict[int, float]:
        """By task the share of the question's sequences that are there, where it is at least ANSWER."""
        weights: dict[int, float] = {}
        for gram in said.grams:
            for number in self.by_gram.get(gram, ()):
                weights[number] = weights.get(number, 0.0) + self.weights[gram]
        shares = ((number, weight / self.totals[number]) for number, weight in weights.items())
        return {number: round(share, 6) for number, share in shares if share > ANSWER - 1e-6}

    def _kind(self, number: int, share: float, said: WordSequence) -> Kind | None:
        question, answer = self.asked[number], self.answers[number]
        if said.holds(question):
            return "exact"
        if len(question.grams) < LEAST or not question.numbers.keys() <= said.numbers.keys():
            return None
        in_place = question.numbers_in_place(said)
        if share >= _enough(question) and in_place == 1:
            return "near"
        telling = len(question.numbers) > 1 and answer.words and not set(answer.words) <= question.numbers.keys()
        return "answer" if telling and in_place >= IN_PLACE and said.holds(answer) else None


def _by_value(values: Iterable[Iterable[T]]) -> dict[T, list[int]]:
    """By value, the numbers of those that have it."""
    found: dict[T, list[int]] = {}
    for number, those in enumerate(values):
        for value in those:
            found.setdefault(value, []).append(number)
    return found


def _enough(question: WordSequence, alike: bool = False) -> float:
    """The share of a question that makes a near duplicate; it takes less when the answers are alike."""
    if len(question.grams) < LEAST:
        return 1.0
    few = NEAR_FEW_NUMBERS if len(question.numbers) < 2 else NEAR
    return ANSWER if alike else few


def _source(task_id: str) -> str:
    """The id of a task without the number that tells repetitions of a question apart."""
    return re.sub(r"(-[0-9a-f]{10})-\d+$", r"\1", task_id)


def _learned_from(experience: Experience) -> list[str]:
    sources = experience.provenance.get("tasks") or ()
    return [_source(str(source)) for source in ([sources] if not isinstance(sources, list | tuple) else sources)]


def _pieces(text: str) -> Iterator[str]:
    """The lines of a text, long ones in pieces of about EXCERPT characters, cut between words."""
    for line in text.split("\n"):
        yield from textwrap.wrap(" ".join(line.split()), EXCERPT, break_long_words=False, break_on_hyphens=False)
