import asyncio
from dataclasses import replace

import pytest

from flex.errors import ParseError, SettingsError
from flex.explib import ExpLib
from flex.library.entry import characters
from flex.library.merging import MAX_CHARACTERS, MAX_RULES, merge, over_caps
from flex.prompt import Prompts
from flex.testing import ScriptedModel
from flex.types import Experience, Rule, UpdateDecision
from flex.updater import ROOM_CONSOLIDATED, RULES_CONSOLIDATED, Question, Updater, parse_decision, shortened
from tests.replies import decision, experience, fenced


def entry(method: str, *rules: str, **more) -> Experience:
    return Experience(method, tuple(Rule(rule, ("e",)) for rule in rules), "trajectory", **more)


def library(*entries: Experience) -> ExpLib:
    made = ExpLib()
    for one in entries:
        made.add(one)
    return made


def decide(experience: Experience, lib: ExpLib, *lines: str):
    model = ScriptedModel(*lines)
    return asyncio.run(Updater(model, Prompts()).decide(experience, lib)), model


def test_an_updater_by_name_makes_no_client_until_it_is_used():
    assert Updater(model_name="some-model").model.name == "some-model"
    with pytest.raises(SettingsError, match="model_name"):
        Updater()


def test_an_empty_library_takes_the_experience_without_a_call():
    made, model = decide(entry("count the complement", "subtract"), ExpLib())
    assert (made.action, model.asked) == ("insert", [])


def test_an_identical_entry_is_discarded_without_a_call():
    lib = library(entry("count the complement", "subtract"))
    made, model = decide(entry("count the complement", "subtract", zone="warning"), lib)
    assert (made.action, made.target, model.asked) == ("discard", next(iter(lib)).id, [])


def test_similar_entries_of_both_zones_are_shown_by_id():
    lib = library(entry("count the complement", "a"), entry("count the complement badly", "b", zone="warning"))
    ids = [e.id for e in lib]
    made, model = decide(entry("count the complement", "c"), lib, decision("merge", ids[1], novel_rules=[1]))
    assert made == UpdateDecision("merge", ids[1], (0,), "existing", "as the test wants it")
    assert all(i in model.asked[0][0]["content"] for i in ids)


def test_deciding_changes_nothing():
    lib = library(entry("count the complement", "a"))
    before = list(lib)
    decide(entry("count the complement", "c"), lib, decision("insert"))
    assert list(lib) == before


def test_the_prompt_does_not_grow_with_the_library():
    def prompt_length(size: int) -> int:
        lib = library(*(entry(f"count the complement of set {n}", f"rule {n}") for n in range(size)))
        return len(decide(entry("count the complement", "c"), lib, decision("insert"))[1].asked[0][0]["content"])

    assert prompt_length(300) <= 1.1 * prompt_length(10)


def test_an_entry_with_many_long_rules_is_shown_shortened():
    lib = library(entry("count the complement", *(f"rule {n} " + "x" * 5000 for n in range(144))))
    _, model = decide(entry("count the complement", "c"), lib, decision("insert"))
    assert len(model.asked[0][0]["content"]) < 35_000


def test_an_unknown_target_is_asked_again():
    lib = library(entry("count the complement", "a"))
    target = next(iter(lib)).id
    made, model = decide(
        entry("count the complement", "c"), lib, decision("merge", "nobody"), decision("discard", target)
    )
    assert (made.action, made.target) == ("discard", target)
    assert target in model.asked[1][-1]["content"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (decision("upsert"), "action"),
        (decision("merge"), "needs as target the id"),
        (decision("discard", "b"), "needs as target the id"),
        (decision("merge", "a", novel_rules=[0]), "numbers of the new experience's rules, 1 to 2"),
        (decision("merge", "a", novel_rules=[3]), "numbers of the new experience's rules, 1 to 2"),
        (decision("merge", "a", trajectory="both"), "trajectory"),
        (decision("insert", contradicts=["a", "b"]), r"contradicts holds ids of entries shown \(a\), not \['b'\]"),
        (decision("merge", "a", contradicts=["a"]), "is inserted beside it"),
        (decision("discard", "a", contradicts=["a"]), "is inserted beside it"),
    ],
)
def test_a_reply_that_breaks_the_contract_is_named(reply, message):
    with pytest.raises(ParseError, match=message):
        parse_decision(reply, {"a"}, 2)


def test_words_may_be_written_large():
    assert parse_decision(decision("INSERT"), {"a"}, 1).action == "insert"


def test_null_counts_as_left_out():
    made = parse_decision(decision("merge", "a", novel_rules=None, trajectory=None), {"a"}, 1)
    assert (made.novel_rules, made.trajectory) == ((), "existing")


def test_what_contradicts_an_entry_is_inserted_and_linked():
    made = parse_decision(decision("insert", contradicts=["b", "a", "b"]), {"a", "b"}, 1)
    assert (made.action, made.contradicts) == ("insert", ("b", "a"))
    assert parse_decision(decision("insert", contradicts="a"), {"a"}, 1).contradicts == ("a",)
    assert parse_decision(decision("insert", contradicts=None), {"a"}, 1).contradicts == ()


def test_rules_are_brought_in_by_their_order_not_the_reply_s():
    assert parse_decision(decision("merge", "a", novel_rules=[3, 1, 3]), {"a"}, 3).novel_rules == (0, 2)


def test_equal_libraries_ask_equal_questions_and_a_change_asks_another():
    new = entry("count the complement", "c")
    updater = Updater(ScriptedModel(), Prompts())
    one, same = (updater.question(new, library(entry("count the complement", "a", id="x"))) for _ in range(2))
    assert isinstance(one, Question)
    assert one.prompt == same.prompt
    assert [e.method for e in one.similar] == ["count the complement"]
    shown = replace(one, similar=tuple(replace(e, created_at="") for e in one.similar))
    assert shown == replace(same, similar=tuple(replace(e, created_at="") for e in same.similar))
    assert one != updater.question(new, library(entry("count the complement", "a", "b", id="x")))


def full(rules: int = MAX_RULES, **more) -> Experience:
    return entry("count the complement", *(f"rule {n}" for n in range(rules)), id="full", **more)


def test_a_merge_over_the_caps_is_consolidated():
    lib = library(full())
    short = experience("Count less.", "one", "two")
    made, model = decide(entry("count the complement", "c"), lib, decision("merge", "full", novel_rules=[1]), short)
    assert (made.action, made.target, made.novel_rules) == ("merge", "full", (0,))
    asked = model.asked[1][0]["content"]
    assert "Too large: 13 rules, at most 12 are kept" in asked
    assert all(f"\n{n + 1}. rule {n}\n   - e\n" in asked for n in range(MAX_RULES))
    assert "\n13. c\n" in asked
    kept = merge(lib.get("full"), entry("count the complement", "c"), made)
    assert (kept.method, [rule.rule for rule in kept.rules]) == ("Count less.", ["one", "two"])


def test_a_merge_within_the_caps_costs_one_call():
    made, model = decide(
        entry("count the complement", "rule 3"), library(full()), decision("merge", "full", novel_rules=[1])
    )
    assert (made.consolidated, len(model.asked)) == (None, 1)


def test_a_consolidation_that_is_still_too_large_is_asked_for_once_more():
    too_many = experience("m", *(f"rule {n}" for n in range(MAX_RULES + 1)))
    merging = decision("merge", "full", novel_rules=[1])
    new = entry("count the complement", "c")
    made, model = decide(new, library(full()), merging, too_many, experience("m", "r"))
    assert made.consolidated.rules == (Rule("r", ("as in r",)),)
    assert "13 rules, at most 12 are kept" in model.asked[2][-1]["content"]
    with pytest.raises(ParseError, match="13 rules"):
        decide(new, library(full()), merging, too_many, too_many)


def test_the_category_counts_too_when_a_consolidation_is_measured():
    lib = library(full(problem_category="c" * (MAX_CHARACTERS // 2)))
    long = experience("m", "r", revised_trajectory="t" * (MAX_CHARACTERS // 2))
    with pytest.raises(ParseError, match="the entry is still too large"):
        decide(entry("count the complement", "c"), lib, decision("merge", "full", novel_rules=[1]), long, long)


def test_a_decision_or_consolidation_that_copies_its_prompt_is_refused():
    copied = decision("merge", "full", novel_rules=[1], reason="<what agrees, what is new>")
    new, merging = entry("count the complement", "c"), decision("merge", "full", novel_rules=[1])
    with pytest.raises(ParseError, match="copies its prompt"):
        decide(new, library(full()), copied, copied)
    rule = "When <the conditions>, <the advice>, because <the reason>."
    with pytest.raises(ParseError, match="copies its prompt"):
        decide(new, library(full()), merging, experience("m", rule), experience("m", rule))


def test_the_kinds_of_rules_are_shown_and_come_back_from_a_consolidation():
    marked = replace(full(zone="warning"), rules=tuple(replace(rule, kind="avoid") for rule in full().rules))
    rules = [{"rule": "one", "kind": "avoid"}, {"rule": "two", "kind": "instead"}]
    new = Experience("count the complement", (Rule("c", (), "instead"),), zone="warning")
    merging = decision("merge", "full", novel_rules=[1])
    made, model = decide(new, library(marked), merging, experience(rules=rules))
    assert [rule.kind for rule in made.consolidated.rules] == ["avoid", "instead"]
    assert '<rule number="1" kind="avoid">' in model.asked[0][0]["content"]
    assert "\n12. [avoid] rule 11\n" in model.asked[1][0]["content"]
    assert "\n13. [instead] c\n" in model.asked[1][0]["content"]


def test_a_consolidation_is_an_experience_with_rules():
    lib, merging = library(full()), decision("merge", "full", novel_rules=[1])
    with pytest.raises(ParseError, match="rules: Field required"):
        decide(entry("count the complement", "c"), lib, merging, "no json", fenced({"method": "m"}))


HUGE = Experience("m" * 10**5, tuple(Rule(f"{n} " + "r" * (n * 20), ("e" * 900,) * 5) for n in range(400)), "t" * 10**6)


def test_the_prompt_of_a_consolidation_is_bounded():
    lib = library(replace(HUGE, id="huge", problem_category="count the complement"))
    replies = decision("merge", "huge", novel_rules=[1]), experience("m", "r")
    _, model = decide(entry("count the complement", "newest"), lib, *replies)
    asked = model.asked[1][0]["content"]
    assert len(asked) < 40_000
    assert "\n160. newest\n" in asked
    assert "241 rules from the middle" in asked


@pytest.mark.parametrize("rules", [0, 1, 12, 144])
def test_an_entry_for_which_there_is_room_is_shown_in_full(rules):
    small = entry("m" * 500, *("r" * 150 for _ in range(rules)))
    assert shortened(small, ROOM_CONSOLIDATED, RULES_CONSOLIDATED) == small


def test_examples_are_cut_before_rules_and_the_first_of_each_rule_last():
    long = entry("m", *(f"{n:03} " + "r" * 180 for n in range(144)))
    rules = shortened(long, ROOM_CONSOLIDATED, RULES_CONSOLIDATED).rules
    assert [rule.rule for rule in rules] == [f"{n:03} " + "r" * 180 for n in range(144)]
    many = Experience("m", tuple(Rule(f"rule {n}", ("x" * 500,) * 30) for n in range(12)), "t" * 5000)
    short = shortened(many, ROOM_CONSOLIDATED, RULES_CONSOLIDATED)
    kept = {len(rule.examples) for rule in short.rules}
    assert 2 <= min(kept) <= max(kept) <= min(kept) + 1 < 30
    assert short.revised_trajectory == "t" * 5000


@pytest.mark.parametrize("room", [500, 6_000, 34_000])
def test_a_shortened_entry_keeps_to_its_room(room):
    short = shortened(HUGE, room, 20, max_examples=1)
    assert characters(short) < room + 22 * len(" [...]")
    assert {len(rule.examples) for rule in short.rules} <= {0, 1}


def test_long_texts_share_what_the_short_ones_leave():
    short = shortened(Experience("m" * 1000, (Rule("r"),), "t" * 1000), 1600, 12)
    assert (short.rules, short.method) == ((Rule("r"),), "m" * 749 + " [...]")
    assert len(short.revised_trajectory) == len(short.method)


def test_the_largest_published_entry_shows_all_its_rules(shared):
    lib = ExpLib(shared / "exps" / "retro_claude.json")
    [largest] = lib
    assert over_caps(largest) == "144 rules, at most 12 are kept"
    rules = shortened(largest, ROOM_CONSOLIDATED, RULES_CONSOLIDATED).rules
    assert [rule.rule for rule in rules][:3] == [rule.rule for rule in largest.rules][:3]
    assert len(rules) == 144
