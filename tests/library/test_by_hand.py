"""A library file that somebody edited without FLEX: what changed is told, and never laid at the door of a run."""

import json
from pathlib import Path

import pytest
from hypothesis import given

from flex.cli import main as flex
from flex.errors import LibraryError
from flex.explib import ExpLib
from flex.library.changes import Author
from flex.library.file import LibraryFile, dump_library, parse_library
from flex.library.history import LOST
from flex.types import Experience, Rule, UpdateDecision
from tests.growing import STEPS, grown

AMIDE = Experience("Look for an amide.", (Rule("Cut the amide.", ("CC(=O)N",)),), "It was one.", id="amide")
ESTER = Experience("Look for an ester.", (Rule("Cut the ester."),), "It was none.", "warning", id="ester")
RING = Experience("Look for a ring.", (Rule("Mind the ring."), Rule("Count it.")), "A ring.")
RUN = Author({"run": "one", "model": "m"})


@pytest.fixture
def path(tmp_path) -> Path:
    """An old entry from before the history, and two of a run, one of them merged into."""
    old = {"version": "2.0", "library": {"golden": [{"id": "old", "method": "Old.", "rules": []}]}}
    (tmp_path / "lib.json").write_text(json.dumps(old))
    library = ExpLib(tmp_path / "lib.json", clock=lambda: "2026")
    library.add(AMIDE, RUN)
    library.add(ESTER, RUN)
    library.apply(RING, UpdateDecision("merge", "amide", (0,)), RUN)
    return library.save()


def edit(path: Path, change) -> None:
    data = json.loads(path.read_text())
    change(data["library"])
    path.write_text(json.dumps(data))


def by_hand(path: Path) -> list[tuple[str, str]]:
    return [(change.action, change.entry) for change in ExpLib(path).history() if change.by.get("hand")]


def test_a_file_that_nobody_touched_has_no_change_by_hand(path):
    assert by_hand(path) == []
    path.write_text(json.dumps(json.loads(path.read_text()), indent=7))  # written in another way, it says the same
    assert by_hand(path) == []


@given(STEPS)
def test_what_grew_in_our_hands_was_not_changed_by_hand(steps):
    file = grown(steps)._store.file()
    again = parse_library(json.loads(dump_library(file)), "a.json")
    assert again.history == file.history


@pytest.mark.parametrize("entry", ["amide", "old"])
def test_an_edited_entry_is_found_by_its_hash_and_recorded_once(path, entry):
    edit(path, lambda zones: [e.update(method="Mine.") for e in zones["golden"] if e["id"] == entry])
    assert by_hand(path) == [("edit", entry)]
    library = ExpLib(path)
    change = library.history()[-1]
    assert (change.number, change.time, change.by, change.before) == (4, "", {"hand": True}, None)
    assert change.reason == "changed in the file by hand"
    assert library.history() == ExpLib(path).history()
    library.save()
    assert by_hand(path) == [("edit", entry)]
    assert ExpLib(path).revision(entry) == {"amide": 3, "old": 2}[entry]


def test_entries_that_were_added_taken_out_and_moved_are_told(path):
    def change(zones):
        zones["golden"] = [e for e in zones["golden"] if e["id"] != "old"]
        zones["mixed"] = [{"id": "new", "method": "New."}, zones["warning"].pop()]

    edit(path, change)
    assert by_hand(path) == [("insert", "new"), ("edit", "ester"), ("remove", "old")]


def test_a_part_that_was_changed_by_hand_is_not_laid_at_the_door_of_a_run(path):
    edit(path, lambda zones: zones["golden"][1]["rules"].append({"rule": "Mine.", "examples": []}))
    library = ExpLib(path)
    since = {one.text: one.version.change for one in library.blame("amide")}
    assert since["Cut the amide."].by == RUN.by  # before the merge it stood there already
    assert since["Mine."].by == since["Mind the ring."].by == {"hand": True}
    assert [version.experience == LOST for version in library.versions("amide")] == [False, True, False]


def test_a_rollback_is_exact_where_it_can_be(path, capsys):
    edit(path, lambda zones: [e.update(method="Mine.") for e in (*zones["golden"], *zones["warning"])])
    library = ExpLib(path)
    library.rollback(2)
    assert library.get("amide").rules == AMIDE.rules  # known from the merge behind it
    assert library.get("ester").method == library.get("old").method == "Mine."
    library.rollback(0)
    assert [entry.id for entry in library] == ["old"]
    assert flex(["lib", "rollback", str(path), "3", "--yes"]) == 0
    assert (
        "as they were edited by hand, since nobody knows what they said before: old, amide, ester"
        in capsys.readouterr().out
    )


def test_an_addition_by_hand_is_undone_exactly(path):
    edit(path, lambda zones: zones["mixed"].append({"id": "new", "method": "New."}))
    library = ExpLib(path)
    library.rollback(3)
    assert "new" not in library


def test_what_was_taken_out_by_hand_comes_back_where_an_older_change_knows_it(path):
    edit(path, lambda zones: zones["golden"].pop())
    library = ExpLib(path)
    assert "amide" not in library
    library.rollback(3)
    assert "amide" not in library
    library.rollback(2)
    assert library.get("amide").rules == AMIDE.rules


def test_log_and_blame_say_by_hand(path, capsys):
    edit(path, lambda zones: zones["golden"][1].update(method="Mine."))
    assert flex(["lib", "log", str(path), "amide"]) == 0
    assert "edit        amide           changed in the file by hand\n" in capsys.readouterr().out
    assert flex(["lib", "blame", str(path), "amide"]) == 0
    method = capsys.readouterr().out.splitlines()[0]
    assert "by hand, or before" in method
    assert "one m" not in method
    assert flex(["lib", "show", str(path), "amide", "--rev", "2"]) == 0
    assert "not kept" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["Mine.", "Look for an amide."])
def test_libraries_that_were_edited_by_hand_are_merged_and_split(path, tmp_path, text):
    other = ExpLib(path)
    other.apply(RING, UpdateDecision("merge", "ester", (1,)), RUN)
    other.save(tmp_path / "other.json")
    edit(path, lambda zones: zones["golden"][1].update(method=text, priority=5))
    merged, _ = ExpLib(path).merge(ExpLib(tmp_path / "other.json"))
    assert merged.get("amide").priority == 5
    assert "Count it." in [rule.rule for rule in merged.get("ester").rules]
    parts = merged.split("zone")
    saved = ExpLib(parts["golden"].save(tmp_path / "part.json"))
    assert {entry.id for entry in saved} == {"old", "amide"}
    assert saved.history() == parts["golden"].history()


def test_a_database_keeps_that_an_entry_was_changed_by_hand(path, tmp_path):
    edit(path, lambda zones: zones["golden"][0].update(method="Mine."))
    with ExpLib(ExpLib(path).save(tmp_path / "lib.db")) as library:
        assert library.history()[-1].by == {"hand": True}
        back = library.save(tmp_path / "back.json")
    assert ExpLib(back).history() == ExpLib(path).history()


def test_an_older_file_does_not_say_what_was_there_before_the_history(path):
    data = json.loads(path.read_text())
    del data["before_history"]
    data["library"]["golden"][0]["method"] = "Mine."
    path.write_text(json.dumps(data))
    assert by_hand(path) == []
    data["before_history"] = ["old"]
    path.write_text(json.dumps(data))
    with pytest.raises(LibraryError, match='"before_history" has to be an object of hashes'):
        ExpLib(path)


def test_a_published_library_without_a_history_was_edited_by_nobody():
    file = LibraryFile((AMIDE, ESTER))
    assert parse_library(json.loads(dump_library(file)), "a.json").history == ()
