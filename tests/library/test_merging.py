"""Merging two entries, and the caps of one."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flex.library.entry import characters
from flex.library.merging import MAX_CHARACTERS, MAX_RULES, distinct, merge, normal_rule, over_caps
from flex.types import Experience, Rule, UpdateDecision
from tests.growing import experiences

FISH = Experience(
    "Catch fish",
    (Rule("Use a net", ("a trout",)), Rule("Wait")),
    "We caught a trout.",
    id="fish",
    created_at="2030",
    provenance={"tasks": ["t1"], "run": "first"},
)
CARP = Experience(
    "Net fish",
    (Rule("use a net.", ("a trout", "a  trout", "a pike")), Rule("Skip me"), Rule("Go at dawn", ("a carp",))),
    "We caught a carp.",
    zone="warning",
    problem_category="fishing",
    priority=4,
    provenance={"tasks": ["t2", "t1"], "run": "second"},
    extra={"mood": "good"},
)
slow = settings(suppress_health_check=[HealthCheck.too_slow])


def all_rules(new: Experience, trajectory="existing") -> UpdateDecision:
    return UpdateDecision("merge", "t", tuple(range(len(new.rules))), trajectory)


def said(experience: Experience) -> tuple:
    return experience.method, experience.rules, experience.revised_trajectory


def spaced(example: str) -> str:
    return " ".join(example.split())


def test_a_merge_brings_novel_rules_examples_trajectory_and_where_they_came_from():
    assert merge(FISH, CARP, UpdateDecision("merge", "fish", (2, 0, 2), "new")) == replace(
        FISH,
        rules=(
            Rule("Use a net", ("a trout", "a pike"), "instead"),
            Rule("Wait", (), "instead"),
            Rule("Go at dawn", ("a carp",)),
        ),
        revised_trajectory="We caught a carp.",
        zone="warning",
        problem_category="fishing",
        priority=4,
        provenance={"tasks": ["t1", "t2"], "run": "first", "merged": [{"tasks": ["t2", "t1"], "run": "second"}]},
        extra={"mood": "good"},
    )


def test_a_merge_without_novel_rules_still_says_where_it_looked():
    merged = merge(FISH, CARP, UpdateDecision("merge", "fish"))
    assert said(merged) == said(FISH)
    assert merged.provenance["tasks"] == ["t1", "t2"]


def test_provenance_is_flat_however_often_entries_met():
    pike = replace(CARP, provenance={"tasks": ["t3"]})
    met = merge(replace(CARP, id="carp"), pike, UpdateDecision("merge", "carp"))
    both = merge(FISH, met, UpdateDecision("merge", "fish"))
    assert both.provenance == {
        "tasks": ["t1", "t2", "t3"],
        "run": "first",
        "merged": [{"tasks": ["t2", "t1", "t3"], "run": "second"}, {"tasks": ["t3"]}],
    }
    assert merge(both, met, UpdateDecision("merge", "fish")) == both


def test_contradictions_are_joined_and_never_with_itself():
    merged = merge(
        replace(FISH, contradicts=("a", "b")),
        replace(CARP, contradicts=("fish", "b", "c")),
        UpdateDecision("merge", "fish"),
    )
    assert merged.contradicts == ("a", "b", "c")


def test_unknown_keys_of_equal_rules_are_joined():
    merged = merge(
        replace(FISH, extra={"_rule_keys": {"Wait": {"by": "me"}}, "mood": "bad"}),
        replace(CARP, extra={"_rule_keys": {"Go at dawn": {"by": "you"}}, "mood": "good"}),
        UpdateDecision("merge", "fish", (2,)),
    )
    assert merged.extra == {"_rule_keys": {"Wait": {"by": "me"}, "Go at dawn": {"by": "you"}}, "mood": "bad"}


def test_a_consolidation_says_what_the_entry_says_and_nothing_else_changes():
    short = Experience("Fish", (Rule("Use a net"),), "Short.", zone="mixed", id="other", priority=5)
    decision = UpdateDecision("merge", "fish", (0, 1, 2), "new")
    plain, merged = merge(FISH, CARP, decision), merge(FISH, CARP, replace(decision, consolidated=short))
    assert said(merged) == said(short)
    assert merged == replace(plain, method="Fish", rules=short.rules, revised_trajectory="Short.")


@slow
@given(experiences, experiences, st.sampled_from(["existing", "new"]))
def test_merging_twice_is_merging_once_and_nothing_chosen_is_lost(target: Experience, new: Experience, kept):
    decision = all_rules(new, kept)
    once = merge(target, new, decision)
    assert merge(once, new, decision) == once
    assert (once.id, once.created_at) == (target.id, target.created_at)
    assert (once.zone, once.revised_trajectory) == (
        (new.zone, new.revised_trajectory) if kept == "new" else (target.zone, target.revised_trajectory)
    )
    given_rules = [*target.rules, *new.rules]
    assert [normal_rule(r.rule) for r in once.rules] == list(dict.fromkeys(normal_rule(r.rule) for r in given_rules))
    for rule in given_rules:
        [there] = [r for r in once.rules if normal_rule(r.rule) == normal_rule(rule.rule)]
        assert {spaced(e) for e in rule.examples} <= {spaced(e) for e in there.examples}
    assert {spaced(e) for rule in once.rules for e in rule.examples} == {
        spaced(e) for rule in given_rules for e in rule.examples
    }
    assert target.extra.keys() | new.extra.keys() == once.extra.keys()


@slow
@given(experiences, experiences, st.randoms())
def test_the_order_in_which_rules_are_named_says_nothing(target: Experience, new: Experience, random):
    decision = all_rules(new)
    shuffled = random.sample(decision.novel_rules, len(decision.novel_rules))
    assert merge(target, new, replace(decision, novel_rules=(*shuffled, *shuffled))) == merge(target, new, decision)


@slow
@given(experiences, st.sampled_from(["existing", "new"]))
def test_an_entry_merged_with_its_own_copy_says_what_it_said(entry: Experience, kept):
    tidy = replace(entry, rules=distinct(entry.rules))
    assert said(merge(entry, entry, all_rules(entry, kept))) == said(tidy)
    assert merge(tidy, tidy, all_rules(tidy, kept)).extra == entry.extra


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Count the complement", " count  the\ncomplement. "),
        ("- Never divide by zero!", "never divide by ZERO"),
        ("“Check parity”", "Check parity …"),
        ("1 + 1 = 2", "1 + 1 = 2;"),
    ],
)
def test_two_spellings_of_a_rule_are_one(one, other):
    assert normal_rule(one) == normal_rule(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RETRO_TEMPLATE: [C:1]-[N:2]>>[C:1]Br.[N:2]", "RETRO_TEMPLATE: [c:1]-[N:2]>>[c:1]Br.[N:2]"),
        ("Cut at CCO", "Cut at cco"),
        ("When n divides N, stop", "When N divides n, stop"),
        ("Divide by n!", "Divide by n"),
        ("Use f'", "Use f"),
        ("-1 is odd", "1 is odd"),
        (".", "?"),
    ],
)
def test_what_is_another_rule_stays_one(one, other):
    assert normal_rule(one) != normal_rule(other)


def test_the_caps_are_named_in_words():
    rules = tuple(Rule(f"rule {n}") for n in range(MAX_RULES))
    assert over_caps(Experience("m", rules)) is None
    assert over_caps(Experience("m", (*rules, Rule("one more")))) == "13 rules, at most 12 are kept"
    full = Experience("m", (Rule("r", ("e" * (MAX_CHARACTERS - 4),)),), "t", problem_category="c")
    assert characters(full) == MAX_CHARACTERS
    assert over_caps(full) is None
    assert over_caps(replace(full, method="mm")) == "16,001 characters, at most 16,000 are kept"


CAREFUL = Experience(
    "Look", (Rule("Do not run", ("fell",), "avoid"), Rule("Walk", (), "instead"), Rule("Breathe")), zone="warning"
)


@pytest.mark.parametrize(
    ("target", "new", "trajectory", "kinds"),
    [
        (FISH, CAREFUL, "existing", [None, None, "avoid", None, None]),
        (CAREFUL, FISH, "new", ["avoid", None, None, None, None]),
        (FISH, CAREFUL, "new", ["instead", "instead", "avoid", "instead", None]),
        (CAREFUL, FISH, "existing", ["avoid", "instead", None, "instead", "instead"]),
    ],
)
def test_what_is_right_is_marked_only_where_it_stands_beside_what_went_wrong(target, new, trajectory, kinds):
    merged = merge(target, new, UpdateDecision("merge", "t", tuple(range(len(new.rules))), trajectory))
    assert [rule.kind for rule in merged.rules] == kinds


def test_a_rule_to_avoid_is_never_one_with_a_rule_to_follow():
    rules = [
        Rule("Run", ("a",), "avoid"),
        Rule("run.", ("b",)),
        Rule("Run", ("c",), "instead"),
        Rule("run", ("d",), "avoid"),
    ]
    assert distinct(rules) == (Rule("Run", ("a", "d"), "avoid"), Rule("run.", ("b", "c")))
