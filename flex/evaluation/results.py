"""What an evaluation keeps of every answer: a row of results.jsonl, and two files for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flex.errors import RunError
from flex.files.atomic import json_bytes
from flex.files.jsonlines import JsonLines, decode, to_jsonable
from flex.files.runlog import make_private
from flex.text import valid_utf8
from flex.types import Attempt, Ending, Usage


@dataclass(frozen=True, slots=True)
class Result:
    """One row of results.jsonl; one with an `error` is asked again by the same command.

    An error that is the task's own (a prompt too long or filtered, an agent that broke off) counts as wrong; where
    the endpoint failed, the task is `unanswered` and counts in no number.
    """

    task_id: str
    index: int
    repeat: int
    question: str
    target: str
    answer: str | None
    score: float
    correct: bool
    error: str | None
    setting: str
    seconds: float
    usage: Usage
    usage_by_role: Mapping[str, Usage] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    hits: tuple[str, ...] = ()
    """Ids of the experiences that were retrieved, in order of first use."""
    hidden: tuple[str, ...] = ()
    """Ids of the experiences that the leakage guard hid from this task."""
    reply: str = ""
    finish_reason: Ending = "stop"
    """How the reply ended that the answer was to be found in; "error" or "filtered" where none came."""
    unanswered: bool = False
    """Whether the answer never came for a reason that is not the task's: the endpoint."""
    unforeseen: bool = False
    """Whether the error is one of this program's own that nobody foresaw; its log has the traceback."""
    reason: str = ""
    """The error in the few words that it is counted under."""
    consulted: int = 0
    """How often the library was consulted."""
    points: tuple[tuple[float, float], ...] = ()
    """Prediction and measurement of items, where the answer predicts many."""

    @property
    def outcome(self) -> str:
        """In a word: correct, wrong, failed (which counts as wrong) or unanswered (which does not count)."""
        if self.unanswered:
            return "unanswered"
        return "failed" if self.error is not None else "correct" if self.correct else "wrong"

    @property
    def log_name(self) -> str:
        """The stem of the answer's log and trace: `12`, or `12_1` from the second repeat."""
        return f"{self.index}" if self.repeat == 0 else f"{self.index}_{self.repeat}"


def result_of(row: Mapping[str, Any]) -> Result:
    """The result in a row. Raises RunError where it is none.

    Rows of earlier versions do not say whose an error was: it was nearly always the endpoint's.
    """
    result = decode(Result, {"unanswered": row.get("error") is not None, **row})
    if abs(result.score) > 1 or result.repeat < 0 or result.index < 0:
        raise RunError(f"score {result.score:g}, index {result.index}, repeat {result.repeat}: no run writes that")
    return result


def load_results(folder: str | Path) -> list[Result]:
    """The rows of a results folder, the last one for each task and repeat. Raises RunError naming the line."""
    rows = JsonLines(Path(folder) / "results.jsonl").read(result_of)
    return list({(row.task_id, row.repeat): row for row in rows}.values())


def write_logs(folder: Path, result: Result, attempt: Attempt, traceback: str = "") -> None:
    """The two files of one answer for people: what was asked and said, and how it came about.

    `traceback` is that of an error that nobody foresaw.
    """
    name = result.log_name
    parts = {
        "Question": result.question,
        "Reply": traceback or result.error or attempt.text,
        "Answer": str(result.answer),
        "Target": result.target,
        "Ended": result.finish_reason,
        "Score": f"{result.score:g} ({result.outcome})",
    }
    text = "\n\n".join(f"## {title}\n{content}" for title, content in parts.items())
    (folder / f"{name}.txt").write_text(valid_utf8(text) + "\n", encoding="utf-8")
    if attempt.steps or attempt.retrievals or attempt.reasoning:
        process = folder.with_name(f"{folder.name}_process")
        make_private(process)
        trace = {name: getattr(attempt, name) for name in ("steps", "retrievals", "reasoning", "finish_reason")}
        (process / f"{name}.json").write_bytes(json_bytes(to_jsonable({"task_id": result.task_id, **trace}), indent=1))
