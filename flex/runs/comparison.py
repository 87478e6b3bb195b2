"""Runs made at different times side by side, if they are of the same tasks, scorer and prompts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from flex.errors import RunError, SettingsError
from flex.evaluation.folder import SettingRun, named_settings
from flex.evaluation.statistics import MARGIN, Difference
from flex.evaluation.summary import Summary
from flex.evaluation.verdicts import Pair, default_primary, judged, primary_in, role_of
from flex.report.canvas import Canvas
from flex.report.forest import picture
from flex.runs.fields import names_in

MAIN = "flex"
"""The setting everything else is held against where no comparison is the primary one."""
SAME = {"benchmark": "benchmarks", "scorer": "scorers", "tasks": "tasks"}
"""What has to be equal in two runs' configurations, and what it is called."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Settings side by side, and the paired difference of every two of them, the primary one first."""

    settings: Mapping[str, Summary]
    comparisons: Sequence[Difference]

    @property
    def primary(self) -> Difference | None:
        """The comparison that counts; its `role` says whether it was named before the run or afterwards."""
        return primary_in(self.comparisons)

    def plot(self) -> Canvas:
        """Both as a picture: a notebook shows it, `save(path)` writes an SVG file."""
        return picture(self.settings, self.comparisons)


def compare(*runs: str | Path, primary: str | Sequence[str] | None = None, margin: float | None = None) -> Comparison:
    """Compare finished settings; each run is a folder of `evaluate`, or of one setting of it.

    `primary` and `margin` (points) are as in `EvalRun`; without them those count that the runs were begun with, and
    others are said to be named afterwards. Raises SettingsError when there are fewer than two settings or `primary`
    is not two of them, RunError when they do not compare.
    """
    settings = named_settings([Path(run) for run in runs])
    if len(settings) < 2:
        raise SettingsError("there is nothing to compare: give two runs, or a run with two settings")
    named = names_in(primary) if isinstance(primary, str) else primary
    if named is not None and (problem := primary_problem(named, settings)):
        raise SettingsError(problem)
    if margin is not None and not margin > 0:
        raise SettingsError(f"margin has to be a number of points above 0, not {margin!r}")
    summaries = {name: setting.summary for name, setting in settings.items()}
    return Comparison(summaries, compare_settings(settings, named, margin))


def primary_problem(primary: Sequence[str], settings: Iterable[str]) -> str | None:
    """Why two names cannot be the primary comparison; None when they can."""
    if len({*primary}) == len(primary) == 2 and {*primary} <= {*settings}:
        return None
    return f"primary has to be two of {', '.join(settings)}, such as flex,agent, not {','.join(primary)!r}"


def compare_settings(
    settings: Mapping[str, SettingRun], primary: Sequence[str] | None = None, margin: float | None = None
) -> list[Difference]:
    """The paired difference of every two settings, the primary one first, with the verdicts they have together.

    Raises RunError when two of them do not compare.
    """
    for a, b in combinations(settings.values(), 2):
        check_same(a, b)
    configs = [setting.config for setting in settings.values()]
    names = [*settings]
    before = first_named(configs, names) or ((names[0], names[1]) if len(names) == 2 else None)
    chosen = before if primary is None else (primary[0], primary[1])
    late = chosen is not None and {*chosen} != {*(before or ())}
    agreed = first_margin(configs)
    given = agreed if margin is None else margin
    differences = [
        replace(settings[a].minus(settings[b], given / 100), role=role_of(a, b, chosen, afterwards=late))
        for a, b in pairs_of(names, chosen)
    ]
    return [d if given == agreed else with_late_margin(d) for d in judged(differences)]


def check_same(a: SettingRun, b: SettingRun) -> None:
    """Raises RunError when two settings do not compare."""
    cannot = f"{a.name} and {b.name} cannot be compared: their"
    for key, words in SAME.items():
        if a.config.get(key) != b.config.get(key):
            if key == "tasks":
                raise RunError(f"{cannot} tasks differ ({a.summary.n} and {b.summary.n} of them); answer the same ones")
            raise RunError(f"{cannot} {words} differ ({a.config.get(key)}, {b.config.get(key)})")
    ours, theirs = a.config.get("prompts") or {}, b.config.get("prompts") or {}
    if changed := sorted(name for name in ours if name in theirs and ours[name] != theirs[name]):
        raise RunError(f"{cannot} prompt '{changed[0]}' differs")


def first_named(configs: Iterable[Mapping[str, Any]], settings: Iterable[str]) -> Pair | None:
    """The primary comparison that was named before the run: in its configurations, else by the fixed order."""
    names, named = [*settings], registered(configs, "primary")
    if isinstance(named, list) and all(isinstance(one, str) for one in named) and not primary_problem(named, names):
        return named[0], named[1]
    return default_primary(names)


def registered(configs: Iterable[Mapping[str, Any]], key: str) -> Any:
    """What stands under a key in all configurations that have it; None where there is none, or they differ."""
    values = [value for config in configs if (value := config.get(key)) is not None]
    return values[0] if values and all(value == values[0] for value in values) else None


def first_margin(configs: Iterable[Mapping[str, Any]]) -> float:
    """The points that "no worse" may lose, as they were named before the run."""
    margin = registered(configs, "margin")
    return float(margin) if isinstance(margin, int | float) and margin > 0 else 100 * MARGIN


def pairs_of(names: Sequence[str], primary: Pair | None) -> list[Pair]:
    """Every two settings once: the primary comparison, the others of its first setting, and the rest."""
    first = primary[0] if primary else MAIN
    ordered = sorted(names, key=lambda name: (name != first, primary is None or name not in primary))
    return list(combinations(ordered, 2))


def with_late_margin(d: Difference) -> Difference:
    words = f"{d.verdict} (margin named afterwards)" if d.verdict.startswith("no worse") else d.verdict
    return replace(d, verdict=words)
