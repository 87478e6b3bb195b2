"""The matrix of settings and problems, and what a problem opens into, as much of it as a page can carry."""

import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flex.evaluation.folder import Run, SettingRun
from flex.evaluation.results import Result
from flex.report.drawings import Drawings
from flex.report.safe_text import shortened, visible
from flex.types import Attempt

BUDGET = 3_600_000
"""Characters of details and drawings in a page; a page is to stay below 5 MB."""
BRIEF_BUDGET = 1_600_000
"""Of these, what questions and answers alone may take."""
LONG, BRIEF = 2000, 300
"""Characters kept of a text, in full details and in brief ones."""
ENDED = {"length": "cut off at the token limit", "filtered": "filtered", "empty": "empty", "tool_calls": "empty"}
"""Endings of a reply that a reader should know of."""
MOST_STEPS = 12
MOST_REPEATS = 8
MOST_HITS = 50


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of one problem in one setting: by its class in report.css.

    `y` right, `n` wrong, `m1` to `m9` tenths of the score, `f` failed or unanswered, `a` absent.
    """

    state: str
    words: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One column of the matrix."""

    number: int
    task_id: str
    cells: tuple[Cell, ...]

    @property
    def rank(self) -> int:
        """Which details matter first: failures, disagreements of settings, what nobody solved, the rest."""
        states = {cell.state for cell in self.cells} - {"a"}
        return 0 if "f" in states else 1 if len(states) > 1 else 2 if states == {"n"} else 3


def matrix(run: Run) -> list[Problem]:
    """Every problem of the run with a cell for each setting, in the order of the split."""
    answered = [setting.by_task() for setting in run.settings]
    tasks = {task: repeats[0].index for task, repeats in ChainMap(*answered).items()}
    return [
        Problem(number, task, tuple(cell(rows.get(task, [])) for rows in answered))
        for task, number in sorted(tasks.items(), key=lambda item: (item[1], item[0]))
    ]


def cell(rows: Sequence[Result]) -> Cell:
    """The repeats of one problem in one setting as one mark."""
    if not rows:
        return Cell("a", "not asked")
    right, failed = sum(row.correct for row in rows), sum(row.error is not None for row in rows)
    if right == len(rows):
        return Cell("y", "right")
    counted = f"{right} of {len(rows)} right" if len(rows) > 1 else "wrong"
    if failed:
        words = "unanswered" if any(row.unanswered for row in rows) else "failed"
        return Cell("f", f"{counted}, {failed} {words}" if len(rows) > 1 else words)
    score = sum(row.score for row in rows) / len(rows)
    tenths = min(9, max(1, round(10 * score))) if score > 0 else 0
    if tenths and not right:
        counted = f"score {score:.2f}"
    return Cell(f"m{tenths}" if tenths else "n", counted)


@dataclass(frozen=True, slots=True)
class Details:
    """What the page's script opens: `data` for the JSON island, and how much of it is there."""

    data: Mapping[str, Any]
    full: int
    brief: int
    problems: int


def details(run: Run, problems: Sequence[Problem], drawings: Drawings) -> Details:
    """Brief records of all problems and full ones of as many as fit, the most telling first.

    Traces are read only for full records, so a large run costs no more than a small one.
    """
    writer = _Writer(run, drawings)
    by_rank = sorted(problems, key=lambda problem: problem.rank)
    records: dict[str, Mapping[str, Any]] = {}
    room = BRIEF_BUDGET
    for problem in by_rank:
        record = writer.record(problem, full=False)
        if (room := room - _size(record)) < 0:
            break
        records[problem.task_id] = record
    full, room = 0, BUDGET - BRIEF_BUDGET + max(0, room)
    for problem in by_rank:
        before = writer.bytes
        record = writer.record(problem, full=True)
        room -= _size(record) - _size(records.get(problem.task_id)) + writer.bytes - before
        if room < 0:
            break
        records[problem.task_id] = record
        full += 1
    names = [visible(setting.name) for setting in run.settings]
    ordered = [records.get(problem.task_id) for problem in problems]
    data = {"settings": names, "problems": ordered, "texts": list(writer.texts), "symbols": writer.sizes()}
    return Details(data, full, sum(record is not None for record in ordered) - full, len(problems))


def _size(record: Any) -> int:
    """Of the record in the page, where `<`, `>` and `&` take six characters."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) + 5 * sum(map(text.count, "<>&"))


class _Writer:
    """Makes records; what many of them repeat stands in `texts` once."""

    def __init__(self, run: Run, drawings: Drawings) -> None:
        self.run = run
        self.drawings = drawings
        self.texts: dict[str, int] = {}
        self._texts_bytes = 0
        self._rows = [setting.by_task() for setting in run.settings]
        self._draw = run.benchmark == "retro"

    @property
    def bytes(self) -> int:
        return self._texts_bytes + self.drawings.bytes

    def sizes(self) -> dict[str, list[int]]:
        return {symbol.id: [symbol.width, symbol.height] for symbol in self.drawings.symbols}

    def record(self, problem: Problem, *, full: bool) -> dict[str, Any]:
        rows = {number: rows[problem.task_id] for number, rows in enumerate(self._rows) if problem.task_id in rows}
        first = next(iter(rows.values()))[0]
        limit = LONG if full else BRIEF
        return _without_nothing(
            number=problem.number,
            id=visible(problem.task_id)[:BRIEF],
            full=full,
            question=shortened(first.question, limit),
            question_drawn=self._drawn(first.question, full),
            target=shortened(first.target, limit),
            target_drawn=self._drawn(first.target, full),
            more=max(0, max(map(len, rows.values())) - MOST_REPEATS),
            answers={
                number: [self._answer(self.run.settings[number], row, full) for row in repeats[:MOST_REPEATS]]
                for number, repeats in rows.items()
            },
        )

    def _answer(self, setting: SettingRun, row: Result, full: bool) -> dict[str, Any]:
        limit = LONG if full else BRIEF
        brief = _without_nothing(
            state="f" if row.error is not None else "y" if row.correct else "n",
            answer=None if row.answer is None else shortened(row.answer, limit),
            error=row.error and shortened(row.error, limit),
            score=f"{row.score:.3g}",
            ended="unanswered, counts in no number" if row.unanswered else ENDED.get(row.finish_reason),
            files=visible(f"{setting.folder.name}/{row.log_name}.txt"),
        )
        if not full:
            return brief
        trace = setting.trace(row)
        return brief | _without_nothing(
            answer_drawn=self._drawn(row.answer, full),
            scatter=self.drawings.scatter(row.points),
            cost=f"{row.seconds:.1f} s, {row.usage.calls:,} calls, "
            f"{row.usage.prompt_tokens:,} tokens in, {row.usage.completion_tokens:,} out",
            metrics=", ".join(f"{visible(name)} {value:.3g}" for name, value in row.metrics.items()),
            reply=shortened(row.reply, LONG) if row.reply != row.answer else None,
            hits=[visible(hit)[:BRIEF] for hit in row.hits[:MOST_HITS]],
            hidden=[visible(hit)[:BRIEF] for hit in row.hidden[:MOST_HITS]],
            reasoning=shortened(trace.reasoning, LONG),
            retrievals=self._retrievals(trace),
            steps=[_step(step) for step in trace.steps[:MOST_STEPS]],
            more_steps=max(0, len(trace.steps) - MOST_STEPS),
        )

    def _retrievals(self, trace: Attempt) -> list[dict[str, Any]]:
        return [
            _without_nothing(
                query=shortened(retrieval.query, BRIEF),
                hits=[visible(hit)[:BRIEF] for hit in dict.fromkeys(hit.experience_id for hit in retrieval.hits)],
                text=self._interned(shortened(retrieval.text, LONG)),
            )
            for retrieval in trace.retrievals[:MOST_STEPS]
        ]

    def _interned(self, text: str) -> int | None:
        if not text:
            return None
        if text not in self.texts:
            self.texts[text] = len(self.texts)
            self._texts_bytes += _size(text) + 1
        return self.texts[text]

    def _drawn(self, smiles: str | None, full: bool) -> str | None:
        return self.drawings.molecule(smiles) if full and self._draw else None


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    """An agent's step: what it said, code included, and what came back."""
    texts = {key: step.get(key) for key in ("output", "observation", "error")}
    return _without_nothing(**{key: shortened(str(text), LONG) for key, text in texts.items() if text})


def _without_nothing(**values: Any) -> dict[str, Any]:
    """The values that say something; a number always does."""
    return {key: value for key, value in values.items() if value is not None and value not in ("", [], {})}
