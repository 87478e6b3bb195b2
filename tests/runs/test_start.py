"""What a training run begins with, and what it must not write over."""

import json

import pytest

from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.files.runlog import RunLog
from flex.library.changes import Author
from flex.runs.start import library_to_train, starting_library
from flex.types import Experience, Rule

LESSON = Experience("Count.", (Rule("Count twice."),), id="lesson")


@pytest.fixture
def stopped(tmp_path):
    """The folder of a run that has learned something, and where it saved that."""
    with RunLog(tmp_path / "run") as log:
        log.start({})
        library = library_to_train(starting_library(None, tmp_path / "lib.json", log), tmp_path / "lib.json", log)
        library.add(LESSON, Author({"run": "run"}))
        library.save(tmp_path / "lib.json")
    return tmp_path


def resumed(folder):
    with RunLog(folder / "run") as log:
        return starting_library(None, folder / "lib.json", log)


def test_a_resumed_run_begins_with_what_it_began_with(stopped):
    assert len(resumed(stopped)) == 0


def test_a_resumed_run_does_not_write_over_what_was_edited_by_hand(stopped):
    data = json.loads((stopped / "lib.json").read_text())
    data["library"]["golden"][0]["method"] = "Count by hand."
    (stopped / "lib.json").write_text(json.dumps(data))
    with pytest.raises(
        SettingsError, match=r"lib.json was changed since this run was stopped \(lesson\), and to go on"
    ):
        resumed(stopped)


def test_a_resumed_run_does_not_write_over_what_a_command_changed(stopped):
    library = ExpLib(stopped / "lib.json")
    library.remove("lesson", "wrong", Author({"command": "flex lib remove"}))
    library.save()
    with pytest.raises(SettingsError, match=r"begin another run: --library .* without --out"):
        resumed(stopped)
