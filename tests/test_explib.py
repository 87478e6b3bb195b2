"""ExpLib: load, add, apply, search, save."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flex.errors import LibraryError
from flex.explib import ExpLib
from flex.library.stores.files import DEFAULT_CONFIG
from flex.types import Experience, Rule, UpdateDecision
from tests.growing import experiences

FISH = Experience(
    "Catch fish", (Rule("Use a net", ("a trout",)), Rule("Wait")), "We caught a trout.", provenance={"tasks": ["t1"]}
)
BIRD = Experience("Watch birds", (Rule("Be quiet"),), "We saw a wren.", zone="warning", problem_category="birds")


def clock() -> str:
    return "2030-01-01T00:00:00"


def library(*experiences: Experience) -> ExpLib:
    lib = ExpLib(clock=clock)
    for experience in experiences:
        lib.add(experience)
    return lib


def test_an_empty_library_is_empty_and_true():
    lib = ExpLib()
    assert (len(lib), list(lib), lib.search("x"), bool(lib)) == (0, [], [], True)
    assert (lib.config, lib.path) == (DEFAULT_CONFIG, None)


def test_an_added_experience_gets_an_id_and_a_time():
    lib = library()
    kept = lib.add(FISH)
    assert kept == replace(FISH, id=kept.id, created_at=clock())
    assert lib.get(kept.id) == kept
    assert kept.id in lib
    assert "other" not in lib
    assert lib.zone("golden") == (kept,)


def test_ids_and_times_are_the_same_in_every_run(tmp_path: Path):
    for name in ("a.json", "b.json"):
        library(FISH, BIRD, FISH).save(tmp_path / name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_the_same_content_of_another_task_has_another_id():
    first, second, again = (
        library().add(replace(FISH, provenance={"tasks": tasks})) for tasks in (["1"], ["2"], ["1"])
    )
    assert first.id == again.id != second.id


def test_it_iterates_by_zone_before_and_after_a_save(tmp_path: Path):
    lib = library(BIRD, replace(FISH, zone="mixed"), FISH, replace(FISH, method="Again"))
    assert [e.zone for e in lib] == ["golden", "golden", "warning", "mixed"]
    assert list(ExpLib(lib.save(tmp_path / "a.json"))) == list(lib)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(experiences, max_size=4))
def test_what_is_added_is_kept_as_a_file_would_keep_it(entries: list[Experience]):
    lib = library(*entries)
    assert Counter((e.method, e.rules) for e in lib) == Counter((e.method, e.rules) for e in entries)
    assert len({e.id for e in lib}) == len(entries)


@pytest.mark.parametrize(
    ("experience", "problem"),
    [
        (replace(FISH, zone="silver"), "no zone 'silver'; choose from golden, warning, mixed"),
        (replace(FISH, provenance={"tasks": {1}}), "cannot stand in a library file"),
        (replace(FISH, extra={"x": float("nan")}), "cannot stand in a library file"),
        (replace(FISH, rules=("a bare text",)), "cannot stand in a library file"),
        (replace(FISH, method=5), "not an experience: the method has to be text"),
        (replace(FISH, id="bird"), "there is an experience 'bird' already"),
    ],
)
def test_what_no_file_could_hold_is_refused_at_the_door(experience: Experience, problem: str):
    lib = library(replace(BIRD, id="bird"))
    with pytest.raises(LibraryError, match=problem):
        lib.add(experience)
    assert len(lib) == 1


def test_insert_and_discard():
    lib = library()
    inserted = lib.apply(FISH, UpdateDecision("insert"))
    assert list(lib) == [inserted]
    assert lib.apply(FISH, UpdateDecision("discard", inserted.id)) is None
    assert list(lib) == [inserted]


def test_merge_brings_novel_rules_examples_and_tasks():
    lib = library(FISH)
    [fish] = lib
    new = Experience(
        "Net fish",
        (Rule("Use a net ", ("a trout", "a pike")), Rule("Skip me"), Rule("Go at dawn", ("a carp",))),
        "We caught a carp.",
        zone="warning",
        priority=4,
        provenance={"tasks": ["t2", "t1"], "model": "m"},
        extra={"mood": "good"},
    )
    merged = lib.apply(new, UpdateDecision("merge", fish.id, (2, 0, 2), "new"))
    assert merged == replace(
        fish,
        rules=(
            Rule("Use a net", ("a trout", "a pike"), "instead"),
            Rule("Wait", (), "instead"),
            Rule("Go at dawn", ("a carp",)),
        ),
        revised_trajectory="We caught a carp.",
        zone="warning",
        priority=4,
        provenance={"tasks": ["t1", "t2"], "merged": [{"tasks": ["t2", "t1"], "model": "m"}]},
        extra={"mood": "good"},
    )
    assert list(lib) == [merged]


def test_what_is_solved_at_last_is_no_warning_any_more():
    lib = library(replace(FISH, id="", zone="warning"))
    [warned] = lib
    solved = replace(FISH, id="", revised_trajectory="We caught it.", zone="golden")
    merged = lib.apply(solved, UpdateDecision("merge", warned.id, (), "new"))
    assert (merged.id, merged.zone, lib.zone("warning")) == (warned.id, "golden", ())
    assert lib.get(warned.id) is merged
    assert len(lib) == 1


@pytest.mark.parametrize(
    ("decision", "problem"),
    [
        (UpdateDecision("merge", "nobody"), "no experience 'nobody'"),
        (UpdateDecision("discard", "nobody"), "no experience 'nobody'"),
        (UpdateDecision("merge"), "name the entry to merge into"),
        (UpdateDecision("merge", "bird", (2,)), r"no rule 2 \(from 0\) in an experience with 2 rules"),
        (UpdateDecision("merge", "bird", (-1,)), "no rule -1"),
        (UpdateDecision("merge", "bird", (), "old"), "no trajectory 'old'"),
        (UpdateDecision("replace", "bird"), "no action 'replace'; choose from insert, merge, discard"),
    ],
)
def test_a_decision_that_cannot_be_carried_out_changes_nothing(decision: UpdateDecision, problem: str):
    lib = library(replace(BIRD, id="bird"))
    before = list(lib)
    with pytest.raises(LibraryError, match=problem):
        lib.apply(FISH, decision)
    assert list(lib) == before


def test_an_unknown_zone_changes_nothing():
    with pytest.raises(LibraryError, match="no zone 'silver'"):
        library().apply(replace(FISH, zone="silver"), UpdateDecision("insert"))


def test_identical_goes_by_method_rules_and_trajectory():
    lib = library(FISH)
    [fish] = lib
    assert lib.identical(replace(FISH, zone="warning", priority=5, provenance={})) == fish.id
    assert lib.identical(replace(FISH, rules=())) is None
    lib.apply(BIRD, UpdateDecision("merge", fish.id, (0,)))
    assert lib.identical(FISH) is None


def test_search_sees_every_change_and_every_field():
    lib = library(FISH)
    assert lib.search("wren") == []
    bird = lib.add(BIRD)
    for query in ("watching", "quiet", "wren", "birds"):
        assert lib.search(query)[0].experience_id == bird.id
    lib.apply(Experience("x", (Rule("Bring an umbrella", ("it rained",)),)), UpdateDecision("merge", bird.id, (0,)))
    for query in ("umbrella", "rained"):
        assert [hit.experience_id for hit in lib.search(query)] == [bird.id]


def test_hits_are_ranked_limited_and_filtered_by_zone():
    lib = library(FISH, BIRD, replace(FISH, zone="warning"))
    hits = lib.search("we caught a trout", zones=("warning",))
    assert [(hit.rank, lib.get(hit.experience_id).zone) for hit in hits] == [(1, "warning"), (2, "warning")]
    assert hits[0].score > hits[1].score
    assert len(lib.search("we", top_k=1)) == 1
    with pytest.raises(LibraryError, match="no zone 'silver'"):
        lib.search("x", zones=("silver",))


def test_threads_may_search_at_once():
    lib = library(*(replace(FISH, method=f"Method {n} trout{n}") for n in range(50)))
    found: list[str] = []
    threads = [Thread(target=lambda: found.append(lib.search("trout7")[0].experience_id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {lib.get(experience_id).method for experience_id in found} == {"Method 7 trout7"}
    assert len(found) == 8


def test_a_snapshot_stays_as_it_is_and_refuses_changes():
    lib = library(FISH)
    snapshot = lib.view()
    bird = lib.add(BIRD)
    lib.apply(BIRD, UpdateDecision("merge", next(iter(lib)).id, (0,)))
    assert len(snapshot) == 1
    assert snapshot.search("wren quiet") == []
    assert lib.search("wren")[0].experience_id == bird.id
    for change in (
        lambda: snapshot.add(BIRD),
        lambda: snapshot.apply(BIRD, UpdateDecision("insert")),
    ):
        with pytest.raises(LibraryError, match="snapshot"):
            change()


def test_a_library_saves_to_where_it_came_from(tmp_path: Path):
    library(FISH).save(tmp_path / "a.json")
    lib = ExpLib(tmp_path / "a.json")
    lib.add(BIRD)
    assert lib.save() == lib.path == tmp_path / "a.json"
    assert len(ExpLib(str(tmp_path / "a.json"))) == 2


def test_a_library_from_nowhere_wants_a_path_once(tmp_path: Path):
    lib = library(FISH)
    with pytest.raises(LibraryError, match=r"save\(path\)"):
        lib.save()
    lib.save(tmp_path / "a.json")
    lib.add(BIRD)
    lib.save()
    assert len(ExpLib(tmp_path / "a.json")) == 2


@pytest.mark.parametrize("content", ["precious notes", '{"library": {}, "version": "9.0"}', "[]"])
def test_a_save_does_not_overwrite_what_is_no_library(tmp_path: Path, content: str):
    (tmp_path / "notes.json").write_text(content)
    with pytest.raises(LibraryError, match=r"notes\.json"):
        library(FISH).save(tmp_path / "notes.json")
    assert (tmp_path / "notes.json").read_text() == content


def test_a_save_fills_an_empty_file_and_refuses_a_folder(tmp_path: Path):
    (tmp_path / "empty.json").touch()
    library(FISH).save(tmp_path / "empty.json")
    assert len(ExpLib(tmp_path / "empty.json")) == 1
    with pytest.raises(LibraryError, match="is a folder"):
        library(FISH).save(tmp_path)


def test_a_file_that_broke_since_it_was_loaded_is_left_alone(tmp_path: Path):
    lib = library(FISH)
    lib.save(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("somebody was here")
    with pytest.raises(LibraryError, match="not an experience library"):
        lib.save()
    assert (tmp_path / "a.json").read_text() == "somebody was here"


def test_a_folder_of_libraries_is_one_library(tmp_path: Path):
    library(replace(BIRD, id="one"), replace(FISH, id="two")).save(tmp_path / "b.json")
    library(replace(BIRD, id="one"), replace(FISH, id="two", method="Other")).save(tmp_path / "a.json")
    lib = ExpLib(tmp_path)
    assert [(e.id, e.method) for e in lib] == [("two", "Other"), ("two-2", "Catch fish"), ("one", "Watch birds")]
    with pytest.raises(LibraryError, match="is a folder"):
        lib.save()


def test_a_folder_without_libraries_and_one_with_a_broken_one_are_errors(tmp_path: Path):
    with pytest.raises(LibraryError, match=r"no experience library \(\*\.json\)"):
        ExpLib(tmp_path)
    library(FISH).save(tmp_path / "a.json")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(LibraryError, match=r"b\.json is not an experience library"):
        ExpLib(tmp_path)


def test_unknown_keys_of_the_file_survive(tmp_path: Path):
    (tmp_path / "a.json").write_text(json.dumps({"library": {"golden": [{"method": "m", "k": 1}]}, "author": "me"}))
    saved = json.loads(ExpLib(tmp_path / "a.json").save(tmp_path / "b.json").read_text())
    assert saved["author"] == "me"
    assert saved["library"]["golden"][0]["k"] == 1


def test_stats_count():
    stats = library(FISH, BIRD).stats()
    assert stats["entries"] == 2
    assert stats["zones"] == {"golden": 1, "warning": 1, "mixed": 0}
    assert stats["categories"] == {"": 1, "birds": 1}
    assert (stats["rules"], stats["examples"]) == (3, 1)
    assert stats["largest"]["characters"] < stats["characters"]
    assert ExpLib().stats()["largest"] is None


def test_what_is_released_or_dropped_can_be_brought_back():
    lib = library()
    lib.apply(replace(FISH, id="fish"), UpdateDecision("quarantine", reason="eh"))
    before = len(lib.history())
    for decision in (UpdateDecision("discard"), UpdateDecision("insert")):
        lib.release("fish", decision)
        assert lib.quarantined == ()
        lib.rollback(before)
        assert [(held.experience.method, held.reason) for held in lib.quarantined] == [("Catch fish", "eh")]
        assert list(lib) == []
    lib.rollback(0)
    assert lib.quarantined == ()


def test_what_is_released_beside_an_entry_of_its_id_gets_another_one():
    lib = library()
    lib.apply(replace(FISH, id="a"), UpdateDecision("quarantine"))
    lib.add(replace(BIRD, id="a"))
    assert lib.release("a", UpdateDecision("insert")).id != "a"
    assert (len(lib), lib.quarantined) == (2, ())


def test_a_file_is_the_same_however_its_path_is_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library(FISH).save(tmp_path / "a.json")
    monkeypatch.chdir(tmp_path)
    lib, other = ExpLib("a.json"), ExpLib(tmp_path / "a.json")
    other.add(BIRD)
    other.save()
    with pytest.raises(LibraryError, match="changed by somebody else"):
        lib.save(tmp_path / "a.json")
    assert len(ExpLib("a.json")) == 2


def test_an_entry_does_not_contradict_itself():
    lib = library(replace(FISH, id="self", contradicts=("self", "gone")))
    assert [change.action for change in lib.history()] == ["insert"]


@pytest.mark.parametrize("name", ["new.json", "new.db"])
def test_a_library_is_begun_where_there_is_none(tmp_path: Path, name: str):
    path = tmp_path / "exps" / name
    with pytest.raises(LibraryError, match=r"create=True\) begins a new one"):
        ExpLib(path)
    assert list(tmp_path.iterdir()) == []
    with ExpLib(str(path), create=True, clock=clock) as lib:
        assert (len(lib), lib.config, lib.created_at, lib.path) == (0, DEFAULT_CONFIG, clock(), path)
        lib.add(FISH)
        assert lib.save() == path
    for create in (True, False):
        with ExpLib(path, create=create) as lib:
            assert [entry.method for entry in lib] == ["Catch fish"]


def test_a_library_begun_where_somebody_else_saves_meanwhile_is_not_written_over_it(tmp_path: Path):
    mine, theirs = (ExpLib(tmp_path / "a.json", create=True) for _ in range(2))
    theirs.add(FISH)
    theirs.save()
    with pytest.raises(LibraryError, match="changed by somebody else"):
        mine.save()
    assert len(ExpLib(tmp_path / "a.json")) == 1


def test_only_a_library_is_opened_with_create(tmp_path: Path):
    (tmp_path / "notes.json").write_text("precious notes")
    with pytest.raises(LibraryError, match="not an experience library"):
        ExpLib(tmp_path / "notes.json", create=True)
    (tmp_path / "empty.json").touch()
    assert len(ExpLib(ExpLib(tmp_path / "empty.json", create=True).save())) == 0
