"""What a benchmark is: data, answer extraction and score."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from flex.errors import BenchmarkError
from flex.files.paths import existing
from flex.text import valid_utf8, words
from flex.types import Task

MAX_TEXT = 200_000
"""Of a question or an answer."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A reply whose score is known: the grader has to agree before anything is paid for."""

    reply: str
    target: str
    score: float


class Benchmark(ABC):
    """One file of this package defines a subclass and `benchmark`, an instance of it."""

    name: ClassVar[str]
    """The module's name, the value of `--benchmark`."""
    folder: ClassVar[str] = "data"
    """Where its splits lie, as `train.jsonl` and `test.jsonl`, unless said otherwise."""
    source: ClassVar[str] = ""
    """Where its data can be had; ends the error about a missing file."""
    scorer: ClassVar[str] = "1"
    """Changes whenever a score may change; runs with different scorers are not compared."""
    icl_k: ClassVar[int] = 5
    """Training examples in the prompt of setting `icl` (paper, 4.1)."""
    prompts: ClassVar[str] = "default"
    """The family of its prompt files: `actor_<prompts>.txt` and so on."""
    retrieval: ClassVar[str] = "hierarchical"
    """How its library is read unless said otherwise: hierarchical or flat (paper, 4.1)."""
    graded: ClassVar[bool] = False
    """Scores are numbers, and their mean is the headline. Otherwise a score is 0 or 1, and the share of 1 is."""
    open_ended: ClassVar[bool] = False
    """No answer ends a rollout: all rounds are used to improve it, and `practice` judges it instead of a model."""
    learns_within: ClassVar[bool] = False
    """Each task holds data to learn from and is scored on other data, so a library may have learned from it."""

    vocabulary: ClassVar[str] = ""
    """A pattern of words that most entries of a library about it contain, and few of others; empty: cannot be told."""
    anchors: ClassVar[Sequence[Anchor]] = ()
    """Replies that are right and replies that are wrong, with what they score (`check_anchors`)."""

    @abstractmethod
    def extract(self, text: str) -> str | None:
        """The answer in a reply, None when there is none."""

    def extract_marked(self, text: str) -> str | None:
        """The answer in a reply that was cut off: only one that is marked, whole, and not taken back behind it."""
        from flex.replies import answer_ends, goes_on  # here, because --help needs the names of benchmarks only

        ends = answer_ends(text)
        answers = {self.extract(text[:end]) for end in ends}
        return answers.pop() if len(answers) == 1 and not goes_on(text[ends[-1] :]) else None

    @abstractmethod
    def score(self, answer: str | None, target: str) -> float:
        """1 for a right answer, 0 for a wrong one or none; of a graded benchmark any number up to 1."""

    def metrics(self, answer: str | None, target: str) -> Mapping[str, float]:
        """Further numbers on an answer, beside the score."""
        return {}

    def points(self, answer: str | None, target: str) -> Sequence[tuple[float, float]]:
        """Prediction and measurement of some items, where an answer predicts many; for the report."""
        return ()

    def check_anchors(self) -> None:
        """Score what is known; a run begins with it. Raises BenchmarkError for a grader that cannot be trusted."""
        for known in self.anchors:
            answer = self.extract(known.reply)
            if (score := self.score(answer, known.target)) != known.score:
                raise BenchmarkError(
                    f"benchmark '{self.name}' is not graded as it should be: {known.reply!r} against "
                    f"{known.target!r} scores {score:g}, not {known.score:g} (read as {answer!r}); "
                    f"nothing was asked: mend extract, score or the anchor in flex/benchmarks/{self.name}.py"
                )

    def accepts(self, score: float) -> bool:
        """Whether a score counts as solved."""
        return score >= 1.0

    def correct(self, score: float, answer: str | None, target: str) -> bool:
        """Whether an answer with this score is counted as right."""
        return self.accepts(score)

    def practice(self, task: Task, answer: str | None) -> float:
        """Open-ended: how good an answer is on what the task itself shows; higher is better, 0 is nothing learned.

        Raises ParseError, to be shown to the model, for an answer that cannot be used.
        """
        raise NotImplementedError

    def aggregates(self, scores: Mapping[str, float]) -> Mapping[str, float]:
        """Further means that the field goes by, of the mean score for each target."""
        return {}

    def example(self, task: Task) -> str | None:
        """The answer that a solved example shows."""
        return task.target

    def tools(self) -> Sequence[Callable[..., Any]]:
        """Plain typed functions with docstrings that an agent may call while it works on any task."""
        return ()

    def task_tools(self, task: Task) -> Sequence[Callable[..., Any]]:
        """Further ones, which know the task."""
        return ()

    def fingerprint(self, text: str) -> str:
        """A question or answer as something that is equal for the same one in another notation; numbers count."""
        return " ".join(words(text)) or " ".join(text.split())

    def quoted(self, text: str) -> Collection[str] | None:
        """The fingerprints of all that a text quotes; None where only words can tell (flex/evaluation/leakage.py)."""
        return None

    def split(self, folder: Path, name: str) -> Path:
        """Where a split lies in the folder of all splits."""
        return folder / f"{name}.jsonl"

    def train_beside(self, path: Path) -> Path:
        """Where the train split lies, beside another split."""
        return path.with_name("train.jsonl")

    def load(self, path: str | Path) -> list[Task]:
        """The tasks of a JSON-lines file of `{"question", "answer"}` rows. Raises BenchmarkError naming the line."""
        path = existing(path, "the data", self.source)
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BenchmarkError(f"cannot read {path}: {error}") from error
        rows = [self._row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
        if not rows:
            raise BenchmarkError(f"{path} holds no tasks")
        return self._numbered([(row["question"], row["answer"]) for row in rows])

    def task(self, question: str, target: str | None = None) -> Task:
        """A single task, outside of any split."""
        return replace(self._numbered([(question, target or "")])[0], target=target)

    def check_question(self, question: str) -> str | None:
        """What is wrong with a question, None when it can be asked."""
        return None

    def check_target(self, target: str) -> str | None:
        """What is wrong with a target, None when it can be scored against."""
        return None

    def check(self, question: str, target: str) -> str | None:
        """What is wrong with a row, None when it can be asked and a right answer to it would be recognised."""
        return self.check_question(question) or self.check_target(target)

    def _row(self, path: Path, number: int, line: str) -> dict[str, str]:
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # besides bad JSON: numbers too long, brackets too deep
            raise BenchmarkError(f"{where}: not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise BenchmarkError(f"{where}: a row has to be an object with question and answer")
        for key in ("question", "answer"):
            if isinstance(row.get(key), int | float) and not isinstance(row.get(key), bool):
                row[key] = str(row[key])
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise BenchmarkError(f"{where}: '{key}' is missing, empty or not a text")
            if len(row[key]) > MAX_TEXT:
                raise BenchmarkError(f"{where}: '{key}' has {len(row[key]):,} characters; {MAX_TEXT:,} is the most")
            if valid_utf8(row[key]) != row[key]:
                raise BenchmarkError(f"{where}: '{key}' holds half of a surrogate pair, which no file can hold")
        if problem := self.check(row["question"], row["answer"]):
            raise BenchmarkError(f"{where}: {problem}{self._hint(row['question'], row['answer'])}")
        return row

    def _hint(self, question: str, target: str) -> str:
        """Which other benchmarks a row would fit."""
        from flex.benchmarks import benchmark_names, get_benchmark  # they all import this module

        others = [get_benchmark(name) for name in benchmark_names() if name != self.name]
        fitting = [b.name for b in others if type(b).load is Benchmark.load and not b.check(question, target)]
        return f"; for such rows use --benchmark {' or '.join(fitting)}" if fitting else ""

    def _numbered(self, rows: Sequence[tuple[str, str]]) -> list[Task]:
        """Tasks with ids that depend on the question only; a repeated question gets `-2`, `-3`, ..."""
        seen: dict[str, int] = {}
        tasks = []
        for index, (question, target) in enumerate(rows):
            digest = hashlib.sha256(question.encode()).hexdigest()[:10]
            seen[digest] = seen.get(digest, 0) + 1
            suffix = f"-{seen[digest]}" if seen[digest] > 1 else ""
            tasks.append(Task(f"{self.name}-{digest}{suffix}", question, target, index))
        return tasks


def fingerprint(tasks: Sequence[Task]) -> str:
    """A sha256 over questions and targets, in order."""
    lines = (f"{task.question}\0{task.target}\n".encode() for task in tasks)
    return hashlib.sha256(b"".join(lines)).hexdigest()
