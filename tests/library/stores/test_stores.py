"""What every store does, through ExpLib: a JSON file and a SQLite database are the same library."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flex.errors import LibraryError
from flex.explib import ExpLib
from flex.types import ZONES, Experience, Rule, UpdateDecision
from tests.growing import MOMENT, STEPS, Step, experiences, grow, json_values, text

FISH = Experience("Catch fish", (Rule("Use a net", ("a trout",)), Rule("Wait")), "We caught a trout.", "golden", "fish")
BIRD = Experience("Watch birds", (Rule("Be quiet"),), "We saw a wren.", "warning", "birds", priority=5)
SOME = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])


def clock() -> str:
    return MOMENT


@pytest.fixture(params=[".json", ".db", "large.db"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ExpLib]:
    """Makes a library of that kind of store that holds these experiences; a large database has an index on disk."""
    if request.param == "large.db":
        monkeypatch.setattr("flex.library.stores.library_search.SMALL", -1)

    def make(*experiences: Experience, name: str = "library") -> ExpLib:
        lib = ExpLib(ExpLib(clock=clock).save(tmp_path / f"{name}{request.param}"), clock=clock)
        for experience in experiences:
            lib.add(experience)
        return lib

    return make


@pytest.fixture
def library(opened: Callable[..., ExpLib]) -> ExpLib:
    return opened(replace(FISH, id="fish"), replace(BIRD, id="bird"), replace(FISH, id="twin", zone="mixed"))


def as_json(library: ExpLib, folder: Path, name: str) -> bytes:
    return library.save(folder / f"{name}.json").read_bytes()


@SOME
@given(STEPS, STEPS)
def test_the_same_changes_make_the_same_library(before: list[Step], after: list[Step]):
    with TemporaryDirectory() as name:
        folder = Path(name)
        memory = grow(ExpLib(clock=clock), before)
        memory.save(folder / "a.db")
        with ExpLib(folder / "a.db", clock=clock) as database:
            grow(memory, after)
            grow(database, after)
            assert as_json(database, folder, "b") == as_json(memory, folder, "c")
            entries = {change.entry for change in memory.history()} | {"nobody"}
            assert {e: memory.revision(e) for e in entries} == {e: database.revision(e) for e in entries}
            assert memory.stats() == database.stats()
            for entry in memory:
                assert database.get(entry.id) == entry
                assert database.history(entry.id) == memory.history(entry.id)


@SOME
@given(
    STEPS,
    st.lists(experiences, max_size=3),
    st.dictionaries(text.map("x".__add__), json_values, max_size=2),
    st.dictionaries(text, json_values, max_size=2),
)
def test_converting_there_and_back_loses_nothing(steps: list[Step], added: list[Experience], extra: dict, config: dict):
    with TemporaryDirectory() as name:
        folder = Path(name)
        lib = grow(ExpLib(clock=clock), steps)
        for experience in added:
            lib.add(experience)
        lib.extra.update(extra)
        lib.config.update(config)
        before = as_json(lib, folder, "x")
        with ExpLib(ExpLib(folder / "x.json").save(folder / "y.db")) as database:
            assert as_json(database, folder, "z") == before
            copy = database.save(folder / "w.db")
        with ExpLib(copy) as database:
            assert as_json(database, folder, "v") == before


def test_what_utf8_cannot_hold_is_kept(opened: Callable[..., ExpLib], tmp_path: Path):
    odd = Experience("a half \ud800 character", id="half \udc80", revised_trajectory="nul \x00", zone="golden")
    with opened(odd) as lib:
        lib.remove(odd.id)
        lib.rollback(1)
        assert next(iter(lib)) == lib.get(odd.id) == replace(odd, created_at=MOMENT)
        assert lib.identical(odd) == odd.id
        assert [hit.experience_id for hit in lib.search("character")] == [odd.id]
        assert len(lib.history(odd.id)) == 3
        assert next(iter(ExpLib(lib.save(tmp_path / "copy.json")))) == lib.get(odd.id)


def test_entries_stand_by_zone_and_go_back_to_their_place(opened: Callable[..., ExpLib]):
    with opened(*(replace(FISH, id=f"e{n}", zone=ZONES[n % 2]) for n in range(8))) as lib:
        order = [entry.id for entry in lib]
        assert order == ["e0", "e2", "e4", "e6", "e1", "e3", "e5", "e7"]
        for entry in ("e0", "e4", "e2", "e7", "e3"):
            lib.remove(entry)
        lib.add(replace(FISH, id="new"))
        lib.rollback(8)
        assert [entry.id for entry in lib] == order
        assert [entry.id for entry in lib.zone("warning")] == ["e1", "e3", "e5", "e7"]


def test_a_place_between_two_neighbours_is_made(opened: Callable[..., ExpLib]):
    with opened(*(replace(FISH, id=f"e{n}") for n in range(5))) as lib:
        for entry in ("e1", "e2", "e3"):
            lib.remove(entry)
        lib.rollback(5)
        lib.apply(BIRD, UpdateDecision("merge", "e2", (), "new"))
        lib.rollback(5)
        assert [entry.id for entry in lib] == ["e0", "e1", "e2", "e3", "e4"]


def test_zones_are_read_while_entries_come_and_go(opened: Callable[..., ExpLib]):
    with opened(*(replace(FISH, id=f"e{n:03}") for n in range(600))) as lib:
        seen = []
        for entry in lib:
            seen.append(entry.id)
            if entry.id == "e100":
                lib.remove("e050")
                lib.add(replace(BIRD, id="late", zone="golden"))
    assert [entry for entry in seen if entry != "late"] == [f"e{n:03}" for n in range(600)]


def test_an_entry_that_says_the_same_is_found_in_any_zone(library: ExpLib):
    with library as lib:
        assert lib.identical(FISH) == "fish"
        lib.remove("fish")
        assert lib.identical(FISH) == "twin"
        lib.apply(BIRD, UpdateDecision("merge", "twin", (0,)))
        assert lib.identical(FISH) is None


def test_search_sees_every_change_at_once(library: ExpLib):
    with library as lib:
        assert [hit.experience_id for hit in lib.search("wren")] == ["bird"]
        bear = lib.add(Experience("Count bears"))
        assert lib.search("bears")[0].experience_id == bear.id
        lib.apply(Experience("x", (Rule("Bring an umbrella"),)), UpdateDecision("merge", "bird", (0,)))
        assert [(hit.experience_id, hit.revision) for hit in lib.search("umbrella")] == [("bird", 2)]
        lib.remove("bird")
        assert lib.search("wren umbrella quiet") == []
        lib.rollback(3)
        assert lib.search("wren")[0].experience_id == "bird"


def test_search_goes_by_zone_category_priority_and_what_is_hidden(library: ExpLib):
    with library as lib:

        def found(**wanted: object) -> set[str]:
            return {hit.experience_id for hit in lib.search("we caught a trout or saw a wren", **wanted)}

        assert found() == {"fish", "bird", "twin"}
        assert found(zones=("mixed",)) == {"twin"}
        assert found(categories=("birds",)) == {"bird"}
        assert found(min_priority=2) == {"bird"}
        assert found(hidden=("fish",)) == {"bird", "twin"}
        assert lib.search("trout", top_k=0) == []


def test_a_product_is_found_however_it_is_written(opened: Callable[..., ExpLib]):
    salt, ester = "CC(=O)Oc1ccccc1C(=O)O", "CCOC(=O)c1ccccc1"
    with opened(Experience(f"Make {ester}", id="ester"), Experience(f"Make {salt}", id="aspirin")) as lib:
        query = "How is OC(=O)c1ccccc1OC(C)=O made?"
        assert lib.search(query)[0].why.startswith("structure")
        assert [hit.experience_id for hit in lib.search(query)] == ["aspirin", "ester"]
        view = lib.view()
        lib.remove("aspirin")
        lib.apply(Experience("x"), UpdateDecision("merge", "ester", (), "new"))
        lib.add(Experience(f"Also {salt}", id="again"))
        assert "aspirin" not in {hit.experience_id for hit in lib.search(query)}
        assert [hit.experience_id for hit in view.search(query)] == ["aspirin", "ester"]


def test_a_snapshot_stays_what_it_was_in_every_way(library: ExpLib, tmp_path: Path):
    with library as lib:
        before = as_json(lib, tmp_path, "before")
        view = lib.view()
        hits = view.search("we caught a trout or saw a wren")
        lib.remove("fish")
        lib.apply(Experience("x", (Rule("We caught an umbrella"),)), UpdateDecision("merge", "bird", (0,)))
        lib.add(Experience("We caught a wren or saw a trout"))
        lib.apply(BIRD, UpdateDecision("quarantine"))
        lib.search("umbrella")
        assert [view.get(hit.experience_id).id for hit in hits] == [hit.experience_id for hit in hits]
        assert view.search("we caught a trout or saw a wren") == hits
        assert view.search("umbrella") == []
        assert as_json(view, tmp_path, "after") == before
        assert view.view().identical(FISH) == "fish"
        with pytest.raises(LibraryError, match="snapshot"):
            view.remove("bird")
        view.close()


def test_a_copy_can_be_changed_and_the_library_stays_as_it_is(
    library: ExpLib, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("flex.library.stores.library_search.SMALL", 10)
    with library as lib:
        before = as_json(lib, tmp_path, "before")
        copy = lib.copy()
        copy.add(Experience("Count bears"))
        copy.remove("fish")
        assert len(copy.search("bears")) == 1
        assert copy.path is None
        assert as_json(lib, tmp_path, "after") == before
        assert lib.search("bears") == []


def test_a_large_database_is_not_copied(opened: Callable[..., ExpLib], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flex.library.stores.library_search.SMALL", 0)
    with opened(FISH) as lib:
        assert (lib.copy() is None) == (lib.path.suffix == ".db")


def test_a_quarantined_experience_is_neither_in_nor_lost(library: ExpLib):
    with library as lib:
        lib.apply(replace(BIRD, method="Doubtful"), UpdateDecision("quarantine", reason="unreadable"))
        [held] = lib.quarantined
        assert (held.experience.method, held.reason, len(lib)) == ("Doubtful", "unreadable", 3)
        kept = lib.release(held.experience.id, UpdateDecision("insert"))
        assert kept is not None
        assert (lib.quarantined, lib.get(kept.id).method, lib.revision(kept.id)) == ((), "Doubtful", 1)


def test_what_cannot_be_carried_out_changes_nothing(library: ExpLib, tmp_path: Path):
    with library as lib:
        before = as_json(lib, tmp_path, "before")
        for refused in (
            lambda: lib.add(replace(FISH, id="bird")),
            lambda: lib.remove("nobody"),
            lambda: lib.apply(FISH, UpdateDecision("merge", "nobody")),
            lambda: lib.apply(FISH, UpdateDecision("insert", contradicts=("nobody",))),
            lambda: lib.release("nobody", UpdateDecision("insert")),
            lambda: lib.rollback(99),
        ):
            with pytest.raises(LibraryError):
                refused()
        assert as_json(lib, tmp_path, "after") == before


def test_settings_are_kept_by_a_save(library: ExpLib):
    with library as lib:
        lib.config["embeddings"] = None
        lib.extra["author"] = "me"
        lib.save()
        with ExpLib(lib.path) as again:
            assert (again.config, again.extra) == (lib.config, {"author": "me"})
