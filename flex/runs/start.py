"""What a training run begins with: a library, and the store that it will be kept in."""

import argparse
import hashlib
import json
from contextlib import AbstractContextManager, nullcontext

from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.files.paths import existing
from flex.files.runlog import RunLog
from flex.library.stores import is_database

STARTED_WITH = "library_at_start.json"


def starting_library(options: argparse.Namespace, run: RunLog) -> ExpLib:
    """The library the run begins with: the one this run began with before, `--load_path`, or an empty one."""

    before, store = run.folder / STARTED_WITH, options.store_path
    if store.is_dir():
        raise SettingsError(f"--store_path {store} is a folder; it has to be a file, such as exps/mine.json")
    if before.exists():
        return ExpLib(before)
    if store.exists():
        there = ExpLib(store)  # refuses now, not after the training, what could not be saved over
        if is_database(store) and (run.folder / "config.json").exists():
            return there
        if options.load_path is None or options.load_path.resolve() != store.resolve():
            raise SettingsError(
                f"{store} exists already: {resume_hint(options)}to learn more from it add "
                f"--load_path {store}; else give another --store_path"
            )
    return ExpLib(existing(options.load_path, "the library")) if options.load_path else ExpLib()


def resume_hint(options: argparse.Namespace) -> str:
    """Names the run that wrote the store, if its folder lies where runs lie."""
    for config in sorted(options.run_dir.parent.glob("*/config.json"), reverse=True):
        try:
            written = json.loads(config.read_bytes()).get("store_path")
        except (OSError, ValueError, AttributeError):
            continue  # somebody else's file
        if written == str(options.store_path):
            return f"to go on with the run that wrote it add --run_dir {config.parent}; "
    return ""


def library_at_start(options: argparse.Namespace, run: RunLog, library: ExpLib) -> ExpLib:
    """The library to train: in memory, kept as it was so that a resumed run replays its decisions on the same one; or
    the database at --store_path, whose own history says what the run has brought in already.
    """

    if is_database(options.store_path):
        if not options.store_path.exists():
            library.save(options.store_path)
        return ExpLib(options.store_path)
    if not (run.folder / STARTED_WITH).exists():
        library.save(run.folder / STARTED_WITH)
    return library


def holding(options: argparse.Namespace, library: ExpLib) -> AbstractContextManager[None]:
    """A JSON file is this run's alone as long as it trains; a database takes the changes of many."""
    return nullcontext() if is_database(options.store_path) else library.hold(options.store_path)


def run_id(run: RunLog) -> str:
    """What tells this run from others of the same name: a hash of its configuration, which says when it began."""
    return hashlib.sha256((run.folder / "config.json").read_bytes()).hexdigest()[:16]
