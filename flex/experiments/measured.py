"""What an experiment reads out of finished runs: values with intervals, paired differences, first attempts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.cli.compare import read_json, scores_by_task, summarized_rows

if TYPE_CHECKING:
    from flex.evaluation.statistics import Difference
    from flex.types import Task


class Measured:
    """A finished setting: its value in per cent with a 95 % interval, and the scores by task to compare it with."""

    def __init__(self, folder: Path) -> None:
        self.scores = scores_by_task(summarized_rows(folder))
        summary = read_json(folder / "summary.json")
        headline = summary.get("headline", "accuracy")
        self.graded = headline == "mean_score"
        self.value, self.low, self.high = (float(summary[key]) for key in (headline, "low", "high"))
        self.n, self.failed, self.correct = (int(summary[key]) for key in ("n", "failed", "correct"))

    @property
    def unit(self) -> str:
        """What the numbers are."""
        return "mean score x 100" if self.graded else "correct, %"

    def means(self) -> list[float]:
        """The mean score of each task, in order of their ids."""
        return [sum(self.scores[task]) / len(self.scores[task]) for task in sorted(self.scores)]

    def minus(self, other: "Measured") -> "Difference":
        """The paired difference to another setting over the same tasks."""
        from flex.evaluation.statistics import paired_difference

        tasks = sorted(self.scores)
        return paired_difference([self.scores[task] for task in tasks], [other.scores[task] for task in tasks])

    def numbers(self) -> dict[str, Any]:
        """For result.json; per cent (mean score x 100 where scores are graded)."""
        low, value, high = (round(100 * x, 4) for x in (self.low, self.value, self.high))
        counts = {"n": self.n, "correct": self.correct, "failed": self.failed}
        return {"percent": value, "low": low, "high": high, **counts}


def difference_numbers(difference: "Difference") -> dict[str, Any]:
    """For result.json; points are per cent."""
    low, points, high = (round(100 * x, 4) for x in (difference.low, difference.difference, difference.high))
    return {"points": points, "low": low, "high": high, "p": round(difference.p, 6), "verdict": difference.verdict}


def first_attempts(folder: Path, tasks: "Sequence[Task]", accepts: Callable[[float], bool]) -> tuple[int, int]:
    """Of a training run: on how many of these tasks the first attempt was right, and how many were solved at last."""
    from flex.files.runlog import RunLog

    explored = {e["exploration"]["task"]["id"]: e["exploration"] for e in RunLog(folder).events("explored")}
    mine = [explored[task.id] for task in tasks if task.id in explored]
    verdicts = [[r["verdict"] for t in one["trajectories"] for r in t["rounds"]] for one in mine]
    right = sum(
        bool(v) and (accepts(v[0]["score"]) if v[0]["score"] is not None else v[0]["accepted"]) for v in verdicts
    )
    return right, sum(any(verdict["accepted"] for verdict in one) for one in verdicts)


def percent(numbers: Mapping[str, Any]) -> str:
    """ "54.0 (44.3 to 63.4)"."""
    return f"{numbers['percent']:.1f} ({numbers['low']:.1f} to {numbers['high']:.1f})"


def points(numbers: Mapping[str, Any]) -> str:
    """ "+54.0 (+44.0 to +64.0)"."""
    return f"{numbers['points']:+.1f} ({numbers['low']:+.1f} to {numbers['high']:+.1f})"
