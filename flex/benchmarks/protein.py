"""Protein fitness, ProteinGym in the paper: one assay a task, the answer a formula that ranks its mutants.

    <answer>rank("ESM-IF1") + rank(TranceptEVE_L) - 0.5 * proline</answer>

The data are a folder of zero-shot score tables (flex/proteins/assays.py). 100 labelled mutants of an assay may be
learned from; the score is Spearman's correlation on all others.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from flex.benchmarks.base import Anchor, Benchmark
from flex.errors import BenchmarkError, ParseError
from flex.files.paths import existing
from flex.proteins.assays import Assay, load_assays
from flex.proteins.proteingym import AssayScore, by_selection, proteingym_average
from flex.proteins.question import question
from flex.proteins.ranks import spearman
from flex.proteins.tools import AssayTools
from flex.replies import last_answer
from flex.types import Task

NO_ANSWER = "there is no formula: it has to stand between <answer> and </answer>"
POINTS = 200
"""Mutants that the report draws."""
_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\r?\n(.*?)```", re.DOTALL)
_LABEL = re.compile(r"\A\s*(?:formula|score|prediction|answer|y)\s*[:=]\s*", re.IGNORECASE)
_ID = re.compile(r"^Assay: (\S+)", re.MULTILINE)
_SEQUENCE = re.compile(r"^Wild type: ([A-Z.]+)$", re.MULTILINE)


class Protein(Benchmark):
    name: ClassVar[str] = "protein"
    folder: ClassVar[str] = "data/proteingym"
    source: ClassVar[str] = "its tables are in zero_shot_substitutions_scores.zip from https://proteingym.org/download"
    icl_k: ClassVar[int] = 3
    vocabulary: ClassVar[str] = r"\bmutants?\b|\bmutations?\b|spearman|\bDMS\b|\bassays?\b|\bESM|zero-shot"
    prompts: ClassVar[str] = "protein"
    retrieval: ClassVar[str] = "flat"
    graded: ClassVar[bool] = True
    open_ended: ClassVar[bool] = True
    learns_within: ClassVar[bool] = True
    anchors: ClassVar[Sequence[Anchor]] = (
        Anchor("<answer>rank(Rising)</answer>", "anchor", 1.0),
        Anchor("<answer>2 - Rising</answer>", "anchor", -1.0),
        Anchor("<answer>0 * Rising</answer>", "anchor", 0.0),
        Anchor("Rising ranks them.", "anchor", 0.0),
    )

    def __init__(self) -> None:
        self._assays: dict[str, Assay] = {"anchor": _anchor()}

    def load(self, path: str | Path) -> list[Task]:
        """One task for each table of a folder, or for a single table. Raises BenchmarkError naming file and line."""
        tables = load_assays(existing(path, "the data", self.source))
        assays = [(question(assay), f"{assay.id}@{assay.digest}", assay) for assay in tables]
        self._assays |= {key: assay for asked, target, assay in assays for key in (asked, target)}
        return self._numbered([(asked, target) for asked, target, _ in assays])

    def split(self, folder: Path, name: str) -> Path:
        """The folder of that name; a folder of tables is a split itself."""
        return folder / name if (folder / name).is_dir() else folder

    def train_beside(self, path: Path) -> Path:
        return path.with_name("train")

    def extract(self, text: str) -> str | None:
        """The formula in the last `<answer>` tag, without a fence or a label around it."""
        tagged = last_answer(text)
        if tagged is None:
            return None
        fenced = _FENCE.search(tagged)
        bare = _LABEL.sub("", fenced[1] if fenced else tagged).strip()
        if len(bare) > 1 and bare[0] == bare[-1] == "`" and "`" not in bare[1:-1]:
            bare = bare[1:-1].strip()
        return bare or None

    def score(self, answer: str | None, target: str) -> float:
        """Spearman's correlation on the mutants that are not labelled; 0 for a formula that cannot be used."""
        try:
            return self._assay(target).tested(answer) if answer else 0.0
        except ParseError:
            return 0.0

    def correct(self, score: float, answer: str | None, target: str) -> bool:
        """Whether a formula ranks better than chance, and than the column that ranks the labelled mutants best."""
        return score > max(0.0, _best_column(self._assay(target)))

    def metrics(self, answer: str | None, target: str) -> Mapping[str, float]:
        """`valid`; `labelled`: the same on the labelled mutants; `best_column`: what a single column reaches."""
        assay = self._assay(target)
        try:
            labelled = assay.learned(answer or "")
        except ParseError:
            return {"valid": 0.0, "labelled": 0.0, "best_column": _best_column(assay)}
        return {"valid": 1.0, "labelled": labelled, "best_column": _best_column(assay)}

    def points(self, answer: str | None, target: str) -> Sequence[tuple[float, float]]:
        """Of up to POINTS mutants that are not labelled, spread over the table."""
        assay = self._assay(target)
        try:
            values = assay.values(answer or "")
        except ParseError:
            return ()
        rows = assay.test[:: -(-len(assay.test) // POINTS)]
        pairs = [(float(f"{values[row]:.4g}"), float(f"{assay.scores[row]:.4g}")) for row in rows]
        return [pair for pair in pairs if all(map(math.isfinite, pair))]  # a formula may run away

    def practice(self, task: Task, answer: str | None) -> float:
        """Spearman's correlation on the labelled mutants."""
        if answer is None:
            raise ParseError(NO_ANSWER)
        return self._assay(task.question).learned(answer)

    def aggregates(self, scores: Mapping[str, float]) -> Mapping[str, float]:
        """`proteingym`: over assays, then proteins, then selection types; and each type, where they are known."""
        placed = [AssayScore((a := self._assay(target)).uniprot, a.selection, s) for target, s in scores.items()]
        types = by_selection(placed)
        named = {f"proteingym {name}": mean for name, mean in types.items()} if "" not in types else {}
        return {"proteingym": proteingym_average(placed), **named}

    def example(self, task: Task) -> str:
        """A ridge regression on the labelled mutants."""
        return AssayTools(self._assay(task.question)).ridge_formula()

    def task_tools(self, task: Task) -> Sequence[Callable[..., Any]]:
        """`describe_columns`, `try_formula` and `fit_ridge` for the task's assay."""
        tools = AssayTools(self._assay(task.question))
        return tools.describe_columns, tools.try_formula, tools.fit_ridge

    def fingerprint(self, text: str) -> str:
        """The wild type's sequence, which two assays of one protein share; without one the assay's name."""
        found = _SEQUENCE.search(text) or _ID.search(text)
        return found[1] if found else super().fingerprint(text)

    def quoted(self, text: str) -> Collection[str]:
        """Nothing: questions are alike in their words, and no text can hold a score that was not shown."""
        return ()

    def _assay(self, key: str) -> Assay:
        """By a task's question or target. Raises BenchmarkError when its table was not loaded."""
        if key not in self._assays:
            raise BenchmarkError(f"the assay '{key.splitlines()[0][:80]}' was not loaded: load its table first")
        return self._assays[key]


def _anchor() -> Assay:
    """An assay that everybody can rank: the measurement is a column of its own."""
    rows = np.arange(20)
    values = rows.astype(np.float64)
    return Assay("anchor", "", "", "", ("A1C",) * len(rows), {"Rising": values}, values, rows[:10], rows[10:])


@lru_cache(maxsize=1000)
def _best_column(assay: Assay) -> float:
    """The test score of the column that ranks the labelled mutants best, with the sign it has there."""
    labelled = assay.scores[assay.learn]
    found = {name: spearman(values[assay.learn], labelled) for name, values in assay.columns.items()}
    best = max(found, key=lambda name: abs(found[name]))
    return assay.tested(f'-"{best}"' if found[best] < 0 else f'"{best}"')


benchmark = Protein()
