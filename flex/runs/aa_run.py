"""One setting twice, to see how far two runs of the same are apart (an A/A test)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from flex.concurrency import Stop
from flex.errors import RunError, SettingsError
from flex.evaluation.folder import read_setting
from flex.evaluation.noise import Noise, noise
from flex.evaluation.settings import get_setting
from flex.evaluation.summary import Summary
from flex.files.atomic import write_json
from flex.files.jsonlines import to_jsonable
from flex.runs.config import EvalRun, file_name
from flex.runs.eval_run import answer_all
from flex.runs.setup import Bar, no_bar
from flex.types import Usage


@dataclass(frozen=True, slots=True)
class AAResult:
    """What came of two runs of one setting; everything is on disk as well."""

    run: EvalRun
    runs: Mapping[str, Summary]
    """Both, by name; those that were finished."""
    noise: Noise | None = None
    """How far they are apart; None when the run was stopped before its end."""
    leakage: str = ""
    """What the leakage guard found, in a sentence; empty when all is clean."""
    usage: Mapping[str, Usage] = field(default_factory=dict)
    """What this call spent, by role."""
    stopped: str | None = None
    """Why it ended early, None when it is finished; the same run goes on."""

    @property
    def folder(self) -> Path:
        return self.run.folder


async def aa(run: EvalRun, *, bar: Bar = no_bar, stop: Stop | None = None) -> AAResult:
    """Answer a test split twice in one setting, write noise.json; resumes.

    Raises SettingsError for what only a person can mend, RunError when too few tasks were answered in both.
    """
    if len(run.settings) != 1:
        raise SettingsError(
            f"one setting is run twice: give --setting one name, not {','.join(run.settings) or 'none'}"
        )
    (name,) = run.settings
    run = replace(run, out=run.out or Path("results") / file_name(f"{run.benchmark}_{run.model}_aa_{name}"))
    folders = {f"{name} 1": run.folder / "first", f"{name} 2": run.folder / "second"}
    places = {title: (get_setting(name), folder) for title, folder in folders.items()}
    result = await answer_all(run, places, bar=bar, stop=stop)
    found = AAResult(run, result.settings, None, result.leakage, result.usage, result.stopped)
    if result.stopped is not None:
        return found
    ours, theirs = (read_setting(folder).scores() for folder in folders.values())
    both = [task for task in ours if ours[task] and theirs[task]]
    if len(both) < 2:
        raise RunError(f"{run.folder}: {len(both)} tasks were answered in both runs, which says nothing about noise")
    found = replace(found, noise=noise([ours[task] for task in both], [theirs[task] for task in both]))
    write_json(run.folder / "noise.json", to_jsonable(found.noise))
    return found
