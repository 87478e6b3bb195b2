"""Merging libraries that were trained apart, and splitting one: every entry, id, provenance and revision is kept."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flex.errors import LibraryError
from flex.explib import ExpLib
from flex.library.changes import Author
from flex.library.entry import content_hash, entry_hash
from flex.library.history import changed_content
from flex.library.merging import MAX_RULES, over_caps
from flex.types import Experience, Rule, UpdateDecision
from tests.growing import STEPS, content, grow, grown

BASE = Experience("Look.", (Rule("Cut the amide.", ("CC(=O)N",)), Rule("Mind the ester.")), "It was so. Done.")


def merged(a: ExpLib, b: ExpLib) -> ExpLib:
    return a.merge(b)[0]


def kinds(a: ExpLib, b: ExpLib) -> dict[str, int]:
    return a.merge(b)[1].counts


def by_id(library: ExpLib) -> dict[str, Experience]:
    return {entry.id: entry for entry in library}


def said(library: ExpLib) -> set[tuple[object, ...]]:
    """What the entries say, whatever the order of their rules and examples."""
    return {
        (
            entry.id,
            entry.method,
            frozenset((rule.rule, frozenset(rule.examples)) for rule in entry.rules),
            entry.revised_trajectory,
            entry.zone,
        )
        for entry in library
    }


def revisions_of(library: ExpLib) -> set[str]:
    """Hashes of everything that any entry ever was."""
    hashes = {hash_ for change in library.history() for hash_ in (change.before_hash, change.after_hash) if hash_}
    return hashes | {entry_hash(entry) for entry in library}


@pytest.fixture
def two() -> tuple[ExpLib, ExpLib]:
    """The same library twice, with one entry."""
    pair = grown([], "a"), grown([], "b")
    for library in pair:
        library.add(replace(BASE, id="exp-1", provenance={"tasks": ["1"]}), Author({"run": "before"}))
    return pair


def learn(library: ExpLib, rule: str, target: str = "exp-1", told: str = "") -> None:
    new = Experience("", (Rule(rule),), told, provenance={"tasks": [rule]})
    library.apply(new, UpdateDecision("merge", target, (0,), "new" if told else "existing", f"{rule} is new"))


def test_what_only_one_has_touched_is_as_it_has_it(two):
    a, b = two
    learn(b, "From b.")
    assert kinds(a, b) == {"one side": 1}
    assert by_id(merged(a, b)) == by_id(merged(b, a)) == by_id(b)


def test_what_both_have_touched_gets_the_rules_of_both_and_the_better_trajectory(two):
    a, b = two
    learn(a, "From a.", told="It was so, and this is why. Done.")
    learn(b, "From b.")
    entry = merged(a, b).get("exp-1")
    assert {rule.rule for rule in entry.rules} == {"Cut the amide.", "Mind the ester.", "From a.", "From b."}
    assert entry.revised_trajectory == "It was so, and this is why. Done."
    assert sorted(entry.provenance["tasks"]) == ["1", "From a.", "From b."]
    assert sorted(one["tasks"][0] for one in entry.provenance["merged"]) == ["From a.", "From b."]
    assert kinds(a, b) == {"both sides": 1}


def test_a_rule_that_one_side_has_dropped_stays_dropped(two):
    a, b = two
    shorter = replace(BASE, rules=(Rule("Cut amides and mind esters."),))
    a.apply(BASE, UpdateDecision("merge", "exp-1", reason="consolidated", consolidated=shorter))
    learn(b, "From b.")
    assert {rule.rule for rule in merged(a, b).get("exp-1").rules} == {"Cut amides and mind esters.", "From b."}


def test_what_would_be_too_large_is_kept_twice_and_linked(two):
    for name, library in zip("ab", two, strict=True):
        for number in range(MAX_RULES - 3):
            learn(library, f"Rule {number} from {name}.")
    for order in (two, two[::-1]):
        library, report = order[0].merge(order[1])
        first, other = library
        assert report.counts == {"kept both": 1}
        assert (first.id, other.provenance["variant_of"]) == ("exp-1", "exp-1")
        assert not any(map(over_caps, library))
        assert other.id in str(report)
        assert {content_hash(entry) for entry in library} == {content_hash(one.get("exp-1")) for one in two}
        again = library.merge(order[1])[0]
        assert by_id(again) == by_id(library)


def test_the_same_words_under_two_ids_become_one_entry_and_links_follow():
    a, b = grown([]), grown([])
    a.add(replace(BASE, id="exp-2", provenance={"tasks": ["1"], "run": "a"}))
    b.add(replace(BASE, id="exp-1", provenance={"tasks": ["2"], "run": "b"}))
    b.add(replace(BASE, id="exp-3", method="The opposite."))
    a.add(replace(BASE, id="exp-4", method="Not so.", contradicts=("exp-2",)))
    for library, report in (a.merge(b), b.merge(a)):
        assert sorted(entry.id for entry in library) == ["exp-1", "exp-3", "exp-4"]
        assert library.get("exp-4").contradicts == ("exp-1",)
        assert sorted(library.get("exp-1").provenance["tasks"]) == ["1", "2"]
        assert report.counts["renamed id"] == 1
        assert {"tasks": ["2"], "run": "b"} in library.get("exp-1").provenance["merged"]


def test_what_one_removed_is_gone_unless_the_other_has_learned_more(two):
    a, b = two
    a.remove("exp-1", "wrong")
    assert (kinds(a, b), len(merged(a, b)), len(merged(b, a))) == ({"one side": 1}, 0, 0)
    learn(b, "From b.")
    assert kinds(a, b) == {"contradiction": 1}
    assert by_id(merged(a, b)) == by_id(merged(b, a)) == by_id(b)


def test_libraries_without_a_history_meet_too(tmp_path):
    for name, rule in (("a", "From a."), ("b", "From b.")):
        entry = f'{{"id": "exp-1", "method": "Look.", "rules": ["Both.", "{rule}"]}}'
        (tmp_path / f"{name}.json").write_text(f'{{"library": {{"golden": [{entry}]}}}}')
    a, b = (ExpLib(tmp_path / f"{name}.json") for name in "ab")
    library, report = a.merge(b)
    assert {rule.rule for rule in library.get("exp-1").rules} == {"Both.", "From a.", "From b."}
    assert revisions_of(library) >= revisions_of(a) | revisions_of(b)
    assert library.merge(b)[1].imported == 0
    assert report.as_dict()["counts"] == {"both sides": 1}


def test_an_import_says_whose_change_it_was(two):
    a, b = two
    b.apply(replace(BASE, method="New."), UpdateDecision("insert", reason="new"), Author({"run": "b", "model": "m"}))
    change = merged(a, b).history()[-1]
    assert (change.action, change.reason, change.by) == ("import", "new", {"run": "b", "model": "m"})
    assert (change.source["library"], change.source["change"], change.source["action"]) == ("b", 2, "insert")


def test_a_quarantine_is_kept_from_both(two):
    a, b = two
    for library, method in ((a, "A"), (b, "B"), (b, "A")):
        library.apply(replace(BASE, method=method), UpdateDecision("quarantine", reason="unreadable"))
    assert sorted(held.experience.method for held in merged(a, b).quarantined) == ["A", "B"]


@given(STEPS, STEPS, STEPS)
def test_a_merge_does_not_depend_on_who_comes_first(common, more_a, more_b):
    a, b = grow(grown(common), more_a, "a"), grow(grown(common), more_b, "b")
    assert by_id(merged(a, b)) == by_id(merged(b, a))


@given(STEPS)
def test_a_library_merged_with_itself_is_itself(steps):
    library = grown(steps)
    assert content(merged(library, library)) == content(library)
    assert merged(library, library).history() == library.history()


@given(STEPS, STEPS, STEPS)
def test_a_merge_loses_no_revision_and_can_be_undone(common, more_a, more_b):
    a, b = grow(grown(common), more_a, "a"), grow(grown(common), more_b, "b")
    library, report = a.merge(b)
    assert revisions_of(library) >= revisions_of(a) | revisions_of(b)
    library.rollback(report.own)
    assert content(library) == content(a)


@given(STEPS, STEPS, STEPS)
def test_merging_again_what_was_merged_changes_nothing(common, more_a, more_b):
    a, b = grow(grown(common), more_a, "a"), grow(grown(common), more_b, "b")
    once = merged(a, b)
    assert content(merged(once, b)) == content(once)
    assert content(merged(once, a)) == content(once)


@given(STEPS, STEPS, STEPS, STEPS)
def test_three_libraries_that_only_grew_say_the_same_however_they_are_merged(common, for_a, for_b, for_c):
    """Where nothing was removed and no two ids say the same; what is removed or renamed meanwhile can depend on it."""
    a, b, c = (
        grow(grown(common), [step for step in steps if step.what in ("add", "merge")], name)
        for steps, name in zip((for_a, for_b, for_c), "abc", strict=True)
    )
    ids = {(content_hash(entry), entry.id) for library in (a, b, c) for entry in library}
    assume(len({content for content, _ in ids}) == len(ids))
    assert said(merged(merged(a, b), c)) == said(merged(a, merged(b, c)))


@given(STEPS, st.sampled_from(["zone", "category", "method"]))
def test_parts_hold_everything_and_each_can_go_back(steps, key):
    library = grown(steps)
    parts = library.split(key if key != "method" else lambda experience: experience.method)
    assert {k: v for one in parts.values() for k, v in by_id(one).items()} == by_id(library)
    assert sum(len(one.quarantined) for one in parts.values()) == len(library.quarantined)
    assert sum(len(one.history()) for one in parts.values()) == len(library.history())
    for one in parts.values():
        ids = {change.entry for change in one.history()}
        numbers = [change.number for change in library.history() if change.entry in ids]
        for number, original in enumerate(numbers, start=1):
            assert changed_content(one.history()[number - 1]) == changed_content(library.history()[original - 1])


@given(STEPS, st.integers(0, 12))
def test_a_part_goes_back_to_what_it_was_in_the_whole(steps, number):
    library = grown(steps)
    number = min(number, len(library.history()))
    parts = library.split(lambda experience: experience.id[-1])
    own = {name: sum(one.entry[-1] == name for one in library.history()[:number]) for name in parts}
    library.rollback(number)
    for name, one in parts.items():
        one.rollback(own[name])
        assert content(one) == [entry for entry in library if entry.id[-1] == name]


def test_a_part_is_chosen_by_a_question_and_may_leave_its_history(two):
    a, _ = two
    a.add(replace(BASE, id="exp-2", zone="warning"))
    one = a.part(lambda experience: experience.zone == "warning", history=False)
    assert ([entry.id for entry in one], one.history()) == (["exp-2"], ())
    assert len(a.part(lambda experience: False)) == 0


def test_an_unknown_key_is_refused(two):
    with pytest.raises(LibraryError, match="cannot split by 'colour'; choose from category, zone"):
        two[0].split("colour")


def test_two_quarantined_experiences_of_one_id_are_named_alike_whoever_comes_first():
    libraries = []
    for method in ("one", "two"):
        libraries.append(ExpLib())
        libraries[-1].apply(Experience(method, id="a"), UpdateDecision("quarantine", reason=method))
    both = [pair[0].merge(pair[1])[0] for pair in (libraries, libraries[::-1])]
    named = [{(q.experience.id, q.experience.method) for q in merged.quarantined} for merged in both]
    assert named[0] == named[1]
    assert len(named[0]) == 2
