"""The library file: what is read, what is refused, how it is written."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flex.errors import LibraryError
from flex.files import atomic
from flex.library.entry import dump_entry, parse_entry
from flex.library.file import LibraryFile, dump_library, parse_library, read_library
from flex.library.file import write_library as write
from flex.types import ZONES, Experience, Rule
from tests.growing import experiences, json_values, text


def library(*entries: object, zone: str = "golden", **more: object) -> dict:
    return {"version": "2.0", "library": {zone: list(entries)}, **more}


def entry(**keys: object) -> dict:
    return {"method": "m", "rules": [], **keys}


def only(data: object) -> Experience:
    [experience] = parse_library(data, "a.json").experiences
    return experience


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(experiences, max_size=4), st.dictionaries(text.map("x".__add__), json_values, max_size=2))
def test_what_is_written_is_read_again(entries: list[Experience], extra: dict):
    first = parse_library(json.loads(dump_library(LibraryFile(tuple(entries), "then", {"a": 1}, extra))), "first")
    by_zone = sorted(entries, key=lambda e: ZONES.index(e.zone))
    assert [(e.method, e.rules, e.provenance, e.extra) for e in first.experiences] == [
        (e.method, e.rules, e.provenance, e.extra) for e in by_zone
    ]
    assert parse_library(json.loads(dump_library(first)), "again") == first
    assert len({e.id for e in first.experiences}) == len(entries)


@pytest.mark.parametrize("name", ["aime_claude", "retro_claude", "retro_gpt"])
def test_published_libraries_survive_load_save_load(shared: Path, tmp_path: Path, name: str):
    published = shared / "exps" / f"{name}.json"
    first = read_library(published)
    write(tmp_path / "copy.json", first)
    assert read_library(tmp_path / "copy.json") == first
    assert read_library(published) == first
    raw, copy = (json.loads(path.read_text("utf-8")) for path in (published, tmp_path / "copy.json"))
    assert (copy["config"], copy["created_at"]) == (raw["config"], raw["created_at"])
    for zone in ZONES:
        for old, new in zip(raw["library"][zone], copy["library"][zone], strict=True):
            kept = {key: value for key, value in old.items() if isinstance(value, str | int) and key != "method"}
            assert new.items() >= kept.items()
            assert set(new) - set(old) == {"id"}
            if isinstance(old["method"], str):
                assert new["method"] == old["method"]


@pytest.mark.parametrize(
    ("keys", "field", "value"),
    [
        ({"rules": ["look first"]}, "rules", (Rule("look first"),)),
        ({"rules": "look first"}, "rules", (Rule("look first"),)),
        ({"rules": None}, "rules", ()),
        ({"rules": [{"rule": "r", "examples": "one"}]}, "rules", (Rule("r", ("one",)),)),
        ({"rules": [{"rule": "r", "examples": None}]}, "rules", (Rule("r"),)),
        ({"rules": [{"rule": "r", "examples": ["a", 7, None, {"in": 1}]}]}, "rules", (Rule("r", ("a", "7", "In: 1")),)),
        (
            {"method": {"problem_category": "A", "general_method": "B"}},
            "method",
            "Problem category: A\nGeneral method: B",
        ),
        ({"method": ["1. a", "2. b"]}, "method", "1. a\n2. b"),
        ({"method": None}, "method", ""),
        ({"revised_trajectory": None}, "revised_trajectory", ""),
        ({"priority": "4"}, "priority", 4),
        ({"priority": 3.0}, "priority", 3),
        ({"priority": "high"}, "priority", 5),
        ({"priority": None}, "priority", 1),
        ({"usage_count": None}, "usage_count", 0),
        ({"last_used": "then"}, "last_used", "then"),
        ({"memory_type": "warning"}, "zone", "golden"),
        ({"id": 7}, "id", "7"),
        ({"provenance": "a run"}, "provenance", {"source": "a run"}),
        ({"mood": "good", "n": [1]}, "extra", {"mood": "good", "n": [1]}),
    ],
)
def test_published_variants_become_experiences(keys: dict, field: str, value: object):
    assert getattr(only(library(entry(**keys))), field) == value


@pytest.mark.parametrize("version", [None, "1.0", "1", 2, "2.0", "2.7"])
def test_older_and_missing_versions_are_read(version: object):
    assert only(library(entry(), version=version)).method == "m"


def test_unknown_keys_of_a_rule_are_kept():
    rule = {"rule": "r", "examples": [], "confidence": 0.5}
    assert dump_entry(only(library(entry(rules=[rule]))))["rules"] == [rule]


def test_an_extra_key_never_replaces_a_known_one():
    assert dump_entry(Experience("m", extra={"method": "other"}))["method"] == "m"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not valid UTF-8 JSON"),
        (b"\xff\xfe", "not valid UTF-8 JSON"),
        (b'{"library": {"golden": [', "not valid UTF-8 JSON"),
        (b"[" * 100_000, "not valid UTF-8 JSON"),
        (b'{"library": {}, "x": NaN}', "NaN"),
        (b"[]", '"library"'),
        (b'{"entries": []}', '"library"'),
        (b'{"library": []}', '"library"'),
        (b'{"library": {"silver": []}}', "unknown zone 'silver'; choose from golden, warning, mixed"),
        (b'{"library": {"golden": {}}}', '"golden" has to be a list'),
        (b'{"library": {}, "config": 3}', '"config"'),
        (b'{"library": {}, "version": "new"}', "version is 'new'"),
        (b'{"library": {}, "version": "3.0"}', "format 3.0"),
        (b'{"library": {"warning": [{"method": "m"}, 7]}}', "warning entry 2: an entry has to be an object, not 7"),
        (b'{"library": {"golden": [{"priority": 1}]}}', "golden entry 1: it has neither a method nor rules"),
        (b'{"library": {"golden": [{"method": 5}]}}', "golden entry 1: the method has to be text, not 5"),
        (b'{"library": {"golden": [{"rules": ["a", 5]}]}}', "golden entry 1: rule 2 has to be a text"),
        (b'{"library": {"golden": [{"rules": [{"examples": []}]}]}}', "golden entry 1: rule 1"),
        (
            b'{"library": {"golden": [{"method": "m"}, {"method": "' + b"m" * 50_000_000 + b'"}]}}',
            "entry 2: it has 50,000,000",
        ),
        (b'{"library": {"golden": []}, "history": [{"number": 2}]}', "change 1: a change's 'action' cannot be None"),
        (b'{"library": {"golden": []}, "quarantine": [{"rules": 5}]}', "quarantine entry 1: "),
        (b'{"library": {"golden": [{"method": "m", "priority": "x"}]}}', "priority has to be a number, not 'x'"),
        (b'{"library": {"golden": [{"method": "m", "priority": 1e999}]}}', "priority has to be a number"),
        (b'{"library": {"golden": [{"method":"m","id":"a"},{"method":"n","id":"a"}]}}', "two entries have the id 'a'"),
    ],
)
def test_what_is_not_a_library_is_named_and_left_alone(tmp_path: Path, content: bytes, problem: str):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(LibraryError) as raised:
        read_library(path)
    assert problem in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == content


def test_a_missing_file_says_how_to_begin_a_library(tmp_path: Path):
    with pytest.raises(LibraryError, match=r"no experience library at .*none\.json; ExpLib\('.*', create=True\)"):
        read_library(tmp_path / "none.json")


def test_ids_of_a_file_without_ids_depend_on_content_only():
    one, two, twin = parse_library(library(entry(), entry(method="n"), entry()), "a").experiences
    assert (one.id, twin.id) == ("exp-c00c9095e0", "exp-c00c9095e0-2")
    assert parse_library(library(entry(method="n", usage_count=3)), "b").experiences[0].id == two.id


def test_a_derived_id_steps_aside_for_one_that_is_written():
    taken = only(library(entry())).id
    first, second = parse_library(library(entry(), entry(method="n", id=taken)), "a").experiences
    assert (first.id, second.id) == (f"{taken}-2", taken)


def test_lone_surrogates_do_not_kill_a_save(tmp_path: Path):
    kept = parse_entry(entry(method="a \udc80 b"), "golden")
    write(tmp_path / "a.json", LibraryFile((kept,)))
    assert read_library(tmp_path / "a.json").experiences[0].method == "a \udc80 b"


def test_the_file_is_readable_text(tmp_path: Path):
    write(tmp_path / "new" / "folder" / "a.json", LibraryFile((Experience("α → β"),)))
    written = (tmp_path / "new" / "folder" / "a.json").read_text("utf-8")
    assert '      "method": "α → β"' in written.replace("        ", "      ")
    assert written.endswith("}\n")


def test_a_save_keeps_the_mode_and_follows_the_umask(tmp_path: Path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "a.json", LibraryFile(()))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640
    (tmp_path / "a.json").chmod(0o604)
    write(tmp_path / "a.json", LibraryFile(()))
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o604


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "a.json", LibraryFile((Experience("old"),)))
    before = (tmp_path / "a.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(LibraryError, match=r"a\.json: No space left on device"):
        write(tmp_path / "a.json", LibraryFile((Experience("new"),)))
    assert (tmp_path / "a.json").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.json"]


def test_quarantined_entries_without_ids_are_two():
    file = parse_library({"library": {}, "quarantine": [{"method": "one"}, {"method": "two"}]}, "x.json")
    assert len({held.experience.id for held in file.quarantine}) == 2


def test_a_change_that_replaced_what_is_no_entry_is_named():
    history = [{"number": 1, "action": "merge", "entry": "a", "before": {"x": 1}}]
    with pytest.raises(LibraryError, match="change 1: what a change replaced is in no zone"):
        parse_library({"library": {}, "history": history}, "x.json")


@pytest.mark.parametrize(
    ("kind", "read"), [("avoid", "avoid"), ("instead", "instead"), ("key", None), (None, None), ([], None)]
)
def test_a_rule_s_kind_is_kept_and_one_that_is_another_s_is_left_alone(kind, read):
    data = library(entry(rules=[{"rule": "r", "examples": [], "kind": kind}, "bare"]), zone="warning")
    experience = only(data)
    assert experience.rules == (Rule("r", (), read), Rule("bare"))
    assert dump_entry(experience)["rules"] == [
        {"rule": "r", "examples": [], "kind": kind},
        {"rule": "bare", "examples": []},
    ]
