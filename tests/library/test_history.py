"""Versions, blame and differences of an entry; and that no revision is ever lost."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flex.explib import ExpLib
from flex.library.changes import Author
from flex.library.history import blame, difference, versions
from flex.types import Experience, Rule, UpdateDecision
from tests.growing import STEPS, content, grow, grown

FIRST = Experience("Look for an amide.", (Rule("Cut the amide.", ("CC(=O)N",)),), "It was an amide. Done.")
SECOND = Experience("Other.", (Rule("Cut the ester."), Rule("Cut the amide.", ("CNC=O",))), "Solved at last. Done.")


@pytest.fixture
def library() -> ExpLib:
    return ExpLib(clock=lambda: "2026-01-01T00:00:00+00:00")


def test_an_entry_has_a_version_for_everything_it_ever_said(library):
    entry = library.add(FIRST)
    merged = library.apply(SECOND, UpdateDecision("merge", entry.id, (0,), "new", "the ester is new"))
    library.apply(SECOND, UpdateDecision("discard", entry.id, reason="known"))
    library.remove(entry.id, "wrong")
    found = library.versions(entry.id)
    assert [version.experience for version in found] == [entry, merged, None]
    assert [version.number for version in found] == [1, 2, 3]
    assert [version.change.action for version in found] == ["insert", "merge", "remove"]


def test_an_entry_from_before_the_history_has_a_version_without_a_change(tmp_path, library):
    entry = library.add(FIRST)
    library.save(tmp_path / "old.json")
    text = (tmp_path / "old.json").read_text()
    (tmp_path / "old.json").write_text(text[: text.index(',\n  "history"')] + "\n}")
    old = ExpLib(tmp_path / "old.json")
    assert old.versions(entry.id)[0].change is None
    old.apply(SECOND, UpdateDecision("merge", entry.id, (0,)))
    found = old.versions(entry.id)
    assert [(version.number, version.change and version.change.action) for version in found] == [
        (1, None),
        (2, "merge"),
    ]
    assert found[0].experience == entry
    assert old.revision(entry.id) == 2


def test_blame_names_the_version_that_brought_each_part(library):
    entry = library.add(FIRST)
    library.apply(SECOND, UpdateDecision("merge", entry.id, (0, 1), "new"), Author({"run": "second"}))
    found = {one.part: (one.text, one.version.number) for one in library.blame(entry.id)}
    assert found == {
        "method": ("Look for an amide.", 1),
        "rule 1": ("Cut the amide.", 1),
        "rule 1, example 1": ("CC(=O)N", 1),
        "rule 1, example 2": ("CNC=O", 2),
        "rule 2": ("Cut the ester.", 2),
        "trajectory": ("Solved at last. Done.", 2),
    }


def test_a_rule_that_came_back_is_blamed_on_its_return_but_a_rollback_brings_nothing(library):
    entry = library.add(FIRST)
    without = replace(FIRST, rules=(Rule("Something else."),))
    for said in (without, FIRST):
        library.apply(SECOND, UpdateDecision("merge", entry.id, consolidated=said))
    since = {one.part: one.version.number for one in library.blame(entry.id)}
    assert (since["method"], since["rule 1"]) == (1, 3)
    library.rollback(1)
    since = {one.part: one.version.number for one in library.blame(entry.id)}
    assert (since["method"], since["rule 1"]) == (1, 1)


def test_what_is_gone_and_what_never_was_say_nothing(library):
    entry = library.add(FIRST)
    library.remove(entry.id)
    assert library.blame(entry.id) == []
    assert blame(versions((), None)) == []


def test_a_difference_shows_sentences_and_does_not_mind_new_numbers():
    later = replace(FIRST, rules=(Rule("Look first."), *FIRST.rules), revised_trajectory="It was an imide. Done.")
    assert difference(FIRST, later, "revision 1", "revision 2").splitlines() == [
        "--- revision 1",
        "+++ revision 2",
        "@@ -4,6 +4,7 @@",
        " contradicts: ",
        " method: Look for an amide.",
        "+rule 1: Look first.",
        " rule 2: Cut the amide.",
        "   example: CC(=O)N",
        "-trajectory: It was an amide. ",
        "+trajectory: It was an imide. ",
        "   Done.",
    ]


@pytest.mark.parametrize(
    "change", [{"zone": "warning"}, {"priority": 5}, {"problem_category": "x"}, {"contradicts": ("y",)}]
)
def test_a_difference_shows_every_fact(change):
    shown = difference(FIRST, replace(FIRST, **change))
    assert sum(line.startswith(("-", "+")) for line in shown.splitlines()) == 4
    assert difference(FIRST, FIRST) == ""


def test_nothing_differs_from_an_entry_in_every_line():
    assert "-" not in {line[0] for line in difference(None, FIRST).splitlines()[2:]}
    assert difference(None, None) == ""


@given(STEPS)
def test_versions_agree_with_the_revisions_that_the_library_counts(steps):
    library = grown(steps)
    for entry in library:
        found = library.versions(entry.id)
        assert found[-1].experience == entry
        assert found[-1].number == library.revision(entry.id)


@given(STEPS, STEPS, st.booleans())
def test_a_rollback_restores_content_order_and_zones_also_after_save_and_load(tmp_path_factory, steps, more, saved):
    library = grown(steps)
    number, before = len(library.history()), content(library)
    grow(library, more)
    after, last = content(library), len(library.history())
    if saved:
        path = tmp_path_factory.mktemp("saved") / "library.json"
        library.save(path)
        library = ExpLib(path)
    library.rollback(number)
    assert content(library) == before
    library.rollback(last)
    assert content(library) == after
    library.rollback(0)
    assert content(library) == []


@given(STEPS)
def test_every_state_there_ever_was_can_be_had_again(steps):
    library, states = grown([]), {0: []}
    for step in steps:
        grow(library, [step])
        states[len(library.history())] = content(library)
    for number, state in states.items():
        library = grown(steps)
        library.rollback(number)
        assert content(library) == state
