"""Runs made at different times side by side, if they are of the same tasks, scorer and prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from flex.errors import RunError, SettingsError
from flex.evaluation.folder import SettingRun, named_settings
from flex.evaluation.statistics import Difference
from flex.evaluation.summary import Summary
from flex.report.canvas import Canvas
from flex.report.forest import picture

MAIN = "flex"
"""The setting everything else is held against."""
SAME = {"benchmark": "benchmarks", "scorer": "scorers", "tasks": "tasks"}
"""What has to be equal in two runs' configurations, and what it is called."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Settings side by side, and the paired difference of every two of them, `flex` minus the others first."""

    settings: Mapping[str, Summary]
    comparisons: Sequence[Difference]

    def plot(self) -> Canvas:
        """Both as a picture: a notebook shows it, `save(path)` writes an SVG file."""
        return picture(self.settings, self.comparisons)


def compare(*runs: str | Path) -> Comparison:
    """Compare finished settings; each run is a folder of `evaluate`, or of one setting of it.

    Raises SettingsError when there are fewer than two, RunError when they do not compare.
    """
    settings = named_settings([Path(run) for run in runs])
    if len(settings) < 2:
        raise SettingsError("there is nothing to compare: give two runs, or a run with two settings")
    return Comparison({name: setting.summary for name, setting in settings.items()}, compare_settings(settings))


def compare_settings(settings: Mapping[str, SettingRun]) -> list[Difference]:
    """The paired difference of every two settings. Raises RunError when two of them do not compare."""
    ordered = sorted(settings.values(), key=lambda setting: setting.name != MAIN)
    for a, b in combinations(ordered, 2):
        cannot = f"{a.name} and {b.name} cannot be compared: their"
        for key, words in SAME.items():
            if a.config.get(key) != b.config.get(key):
                if key == "tasks":
                    raise RunError(
                        f"{cannot} tasks differ ({a.summary.n} and {b.summary.n} of them); answer the same ones"
                    )
                raise RunError(f"{cannot} {words} differ ({a.config.get(key)}, {b.config.get(key)})")
        ours, theirs = a.config.get("prompts") or {}, b.config.get("prompts") or {}
        if changed := sorted(name for name in ours if name in theirs and ours[name] != theirs[name]):
            raise RunError(f"{cannot} prompt '{changed[0]}' differs")
    return [a.minus(b) for a, b in combinations(ordered, 2)]
