import asyncio

import pytest

from flex.errors import ParseError
from flex.explib import ExpLib
from flex.prompt import Prompts
from flex.testing import ScriptedModel
from flex.types import Experience, Rule, UpdateDecision
from flex.updater import Updater, parse_decision
from tests.replies import decision


def entry(method: str, *rules: str, **more) -> Experience:
    return Experience(method, tuple(Rule(rule, ("e",)) for rule in rules), "trajectory", **more)


def library(*entries: Experience) -> ExpLib:
    made = ExpLib()
    for experience in entries:
        made.add(experience)
    return made


def decide(experience: Experience, lib: ExpLib, *lines: str):
    model = ScriptedModel(*lines)
    return asyncio.run(Updater(model, Prompts()).decide(experience, lib)), model


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
