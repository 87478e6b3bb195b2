"""What each part is worth, by taking it away (`flex ablation`).

One training run explores; every variant is made of its explorations, so that only the part in question differs and
nothing is explored twice. `no updater` keeps every experience as it was distilled, `no critic` the bare records.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flex.errors import SettingsError
from flex.evaluation.folder import SettingRun
from flex.experiments.config import Ablation
from flex.experiments.measured import judged_together, numbers, percent, points, unit
from flex.experiments.pictures import Table
from flex.experiments.pictures.ablation import ablation_picture
from flex.experiments.published import ABLATION, ABLATION_WHAT
from flex.experiments.steps import Findings, Steps
from flex.explib import ExpLib
from flex.files.jsonlines import decode
from flex.files.runlog import RunLog
from flex.runs.fields import names_in
from flex.types import Experience, Exploration, Rule, Trajectory

FULL = "full"
VARIANTS = {
    FULL: "the library that critic and updater made, read as the benchmark's libraries are",
    "flat retrieval": "the same library in the order of the search, no model selects",
    "hierarchical retrieval": "the same library, a model selects methods, then rules, then trajectories",
    "no warning zone": "the same library without its entries from failures",
    "no updater": "every experience added as it was distilled, nothing merged or discarded",
    "no critic": "the records of all attempts as entries, nothing distilled",
    "no library": "the agent alone",
}
DERIVED = ("no warning zone", "no updater", "no critic")
"""Variants with libraries of their own."""


async def ablation(run: Ablation, steps: Steps) -> Findings:
    """Train once, make the libraries of all variants of it, and answer the test split with each."""
    own = f"{steps.benchmark.retrieval} retrieval"
    names = chosen(run.variants or ",".join(name for name in VARIANTS if name != own))
    steps.start("ablation", {"actor": run.model}, training_epochs=run.epochs)
    folder = steps.out / "learned"
    library = await steps.learn(folder, run.model, use_library=True, epochs=run.epochs)
    answered: dict[str, SettingRun] = {}
    sizes: dict[str, int] = {}
    for name in names:
        place, path = steps.out / name.replace(" ", "-"), folder / "library.json"
        if name in DERIVED:
            path = place / "library.json"
            if not path.exists():
                made = ExpLib()
                for experience in derived(name, library, folder):
                    made.add(experience)
                made.save(path)
        if name == "no library":
            answered[name], sizes[name] = await steps.answer(place, "agent", run.model), 0
        else:
            changes = {"retrieval": name.split()[0]} if name.endswith("retrieval") else {}
            answered[name] = await steps.answer(place, "flex", run.model, path, **changes)
            sizes[name] = len(ExpLib(path))
        steps.say(f"{name}: {percent(numbers(answered[name].summary))}")
    return finish(run, steps, answered, sizes)


def chosen(text: str) -> list[str]:
    """The variants named, the whole first. Raises SettingsError."""
    names = [name.replace("-", " ") for name in names_in(text)]
    if unknown := [name for name in names if name not in VARIANTS]:
        raise SettingsError(f"unknown variant '{unknown[0]}'; choose from {', '.join(VARIANTS)}")
    return list(dict.fromkeys([FULL, *names]))


def derived(variant: str, library: ExpLib, run: Path) -> list[Experience]:
    """What the library of a variant is made of: the entries of `library`, or what the training run explored."""
    if variant == "no warning zone":
        return [experience for experience in library if experience.zone != "warning"]
    explored = explorations(run)
    if variant == "no updater":
        return [experience for exploration in explored for experience in exploration.experiences]
    rollouts = [trajectory for exploration in explored for trajectory in exploration.trajectories]
    return [raw_record(trajectory) for trajectory in rollouts if not trajectory.misjudged]


def explorations(run: Path) -> list[Exploration]:
    """What a training run has explored, in the order of epochs and tasks."""
    latest = {(e["epoch"], e["exploration"]["task"]["id"]): e for e in RunLog(run).events("explored")}
    ordered = sorted(latest.values(), key=lambda e: (e["epoch"], e["exploration"]["task"]["index"]))
    return [decode(Exploration, event["exploration"]) for event in ordered]


def raw_record(trajectory: Trajectory) -> Experience:
    """The rollout as an experience: the question is its method, the whole record its trajectory, nothing is concluded.

    It holds what a critic would have read, the target where it is known included.
    """
    said = "solved" if trajectory.solved else "not solved"
    parts = [f"Question: {trajectory.task.question}"]
    for number, seen in enumerate(trajectory.rounds, 1):
        parts += [f"Attempt {number}: {seen.attempt.text}", f"Feedback: {seen.verdict.feedback}"]
    if trajectory.task.target is not None:
        parts.append(f"Target: {trajectory.task.target}")
    return Experience(
        method=f"A record of attempts, {said}: {trajectory.task.question}",
        rules=(Rule(f"No rule was drawn from these attempts; the problem was {said}."),),
        revised_trajectory="\n".join(parts),
        zone="golden" if trajectory.solved else "warning",
        problem_category="record of attempts",
        provenance={"tasks": [trajectory.task.id]},
    )


def finish(run: Ablation, steps: Steps, answered: Mapping[str, SettingRun], sizes: Mapping[str, int]) -> Findings:
    whole, parts = answered[FULL], [name for name in answered if name != FULL]
    against = dict(zip(parts, judged_together(answered[name].minus(whole) for name in parts), strict=True))
    variants: list[dict[str, Any]] = [
        {
            "name": name,
            "library": sizes[name],
            **numbers(one.summary),
            "difference_to_full": against.get(name),
        }
        for name, one in answered.items()
    ]
    what = unit(whole.summary)
    about = {"experiment": "ablation", "benchmark": run.benchmark, "model": run.model}
    result = {**about, "unit": what, "variants": variants}
    published = Table(
        f"Published, not measured here: {ABLATION_WHAT}",
        ["variant", "value"],
        [[name, f"{value:.3f}"] for name, value in ABLATION],
    )
    remark = (
        f"One training run over {len(steps.train_tasks)} tasks; every variant is made of its explorations and "
        f"answered the same {whole.summary.n} test tasks. Differences are paired by task."
    )
    tables = [Table("Measured here", *table_of(variants, what)), published]
    return steps.finish(result, ablation_picture, headline(variants), remark, tables)


def headline(variants: Sequence[dict[str, Any]]) -> str:
    """Which parts are shown to matter."""
    worse = [v["name"] for v in variants if (d := v["difference_to_full"]) and d["verdict"] == "worse"]
    if not worse:
        return "No part that was taken away is shown to matter"
    return f"Shown to be worse than the whole: {', '.join(worse)}"


def table_of(variants: Sequence[dict[str, Any]], unit: str) -> tuple[list[str], list[list[str]]]:
    rows = []
    for variant in variants:
        d = variant["difference_to_full"]
        against = [points(d), d["verdict"]] if d else ["-", "-"]
        rows.append([variant["name"], str(variant["library"]), percent(variant), *against, VARIANTS[variant["name"]]])
    return ["variant", "entries", unit, "points against full", "verdict", "what it is"], rows
