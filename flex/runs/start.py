"""What a training run begins with: a library, and the store that it will be kept in."""

import json
from pathlib import Path

from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.files.paths import existing
from flex.files.runlog import RunLog
from flex.library.stores import is_database

STARTED_WITH = "library_at_start.json"


def starting_library(library: Path | None, save_to: Path, log: RunLog) -> ExpLib:
    """The library the run begins with: the one this run began with before, `library`, or an empty one.

    Raises SettingsError where a library that nobody named, or what others changed meanwhile, would be overwritten.
    """
    before = log.folder / STARTED_WITH
    if save_to.is_dir():
        raise SettingsError(f"--save_to {save_to} is a folder; it has to be a file, such as exps/mine.json")
    if before.exists():
        began = ExpLib(before)
        _check_nobody_else_changed(save_to, len(began.history()))
        return began
    if save_to.exists():
        there = ExpLib(save_to)  # refuses now, not after the training, what could not be saved over
        if is_database(save_to) and (log.folder / "config.json").exists():
            return there
        if library is None or library.resolve() != save_to.resolve():
            raise SettingsError(
                f"{save_to} exists already: {resume_hint(save_to, log.folder)}to learn more from it add "
                f"--library {save_to}; else give another --save_to"
            )
    return ExpLib(existing(library, "the library")) if library else ExpLib()


def _check_nobody_else_changed(save_to: Path, start: int) -> None:
    """Whoever edited the library while its run was stopped would lose that: the run writes what it learned anew."""
    changes = ExpLib(save_to).history()[start:] if save_to.exists() else ()
    if others := list(dict.fromkeys(change.entry for change in changes if "run" not in change.by)):
        more = f" and {len(others) - 1} more" if others[1:] else ""
        raise SettingsError(
            f"{save_to} was changed since this run was stopped ({others[0]}{more}), and to go on writes over that; "
            f"to learn more from it begin another run: --library {save_to} --save_to {save_to} without --out"
        )


def resume_hint(save_to: Path, folder: Path) -> str:
    """Names the run that wrote the store, if its folder lies where runs lie."""
    for config in sorted(folder.parent.glob("*/config.json"), reverse=True):
        try:
            written = json.loads(config.read_bytes()).get("store_path")
        except (OSError, ValueError, AttributeError):
            continue  # somebody else's file
        if written == str(save_to):
            return f"to go on with the run that wrote it add --out {config.parent}; "
    return ""


def library_to_train(library: ExpLib, save_to: Path, log: RunLog) -> ExpLib:
    """The library to train: in memory, kept as it was so that a resumed run replays its decisions on the same one; or
    the database at `save_to`, whose own history says what the run has brought in already.
    """
    if is_database(save_to):
        if not save_to.exists():
            library.save(save_to)
        return ExpLib(save_to)
    if not (log.folder / STARTED_WITH).exists():
        library.save(log.folder / STARTED_WITH)
    return library
