"""What an experiment writes of finished runs: values with intervals, paired differences, first attempts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flex.errors import EndpointError
from flex.evaluation.statistics import Difference
from flex.evaluation.summary import Summary
from flex.evaluation.verdicts import judged
from flex.files.runlog import RunLog
from flex.types import Task


def unit(summary: Summary) -> str:
    return "mean score x 100" if summary.graded else "correct, %"


def numbers(summary: Summary) -> dict[str, Any]:
    """For result.json; per cent (mean score x 100 where scores are graded).

    Raises EndpointError when nothing was answered.
    """
    if summary.value is None:
        raise EndpointError(f"{summary.setting}: none of {summary.answers} answers came; the same command asks again")
    low, value, high = (round(100 * x, 4) for x in (summary.low, summary.value, summary.high))
    counts = {name: getattr(summary, name) for name in ("n", "correct", "failed", "unanswered")}
    return {"percent": value, "low": low, "high": high, **counts}


def judged_together(differences: Iterable[Difference]) -> list[dict[str, Any]]:
    """For result.json; points are per cent. Verdicts and `p_adjusted` are those of all comparisons of an experiment."""
    return [_numbers(difference) for difference in judged(list(differences))]


def _numbers(difference: Difference) -> dict[str, Any]:
    low, points, high = (round(100 * x, 4) for x in (difference.low, difference.difference, difference.high))
    adjusted = None if difference.p_adjusted is None else round(difference.p_adjusted, 6)
    tested = {"p": round(difference.p, 6), "p_adjusted": adjusted, "verdict": difference.verdict}
    return {"points": points, "low": low, "high": high, **tested}


def first_attempts(folder: Path, tasks: Sequence[Task], accepts: Callable[[float], bool]) -> tuple[int, int]:
    """Of a training run: on how many of these tasks the first attempt was right, and how many were solved at last."""
    explored = {e["exploration"]["task"]["id"]: e["exploration"] for e in RunLog(folder).events("explored")}
    mine = [explored[task.id] for task in tasks if task.id in explored]
    verdicts = [[r["verdict"] for t in one["trajectories"] for r in t["rounds"]] for one in mine]
    right = sum(
        bool(v) and (accepts(v[0]["score"]) if v[0]["score"] is not None else v[0]["accepted"]) for v in verdicts
    )
    return right, sum(any(verdict["accepted"] for verdict in one) for one in verdicts)


def percent(measured: Mapping[str, Any]) -> str:
    """ "54.0 (44.3 to 63.4)"."""
    return f"{measured['percent']:.1f} ({measured['low']:.1f} to {measured['high']:.1f})"


def points(measured: Mapping[str, Any]) -> str:
    """ "+54.0 (+44.0 to +64.0)"."""
    return f"{measured['points']:+.1f} ({measured['low']:+.1f} to {measured['high']:+.1f})"
