import asyncio

import pytest

from flex.errors import ParseError, SettingsError
from flex.explib import ExpLib
from flex.memory_retriever import (
    MemoryRetriever,
    create_memory_retrieval_tool,
    create_memory_retriever,
    hits_text,
    index_order,
    parse_selection,
)
from flex.prompt import Prompts
from flex.testing import RuleModel, ScriptedModel
from flex.types import Experience, Hit, Rule, UpdateDecision
from tests.replies import fenced
from tests.test_echo import LIBRARIES


def library(size: int, rules: int = 1) -> ExpLib:
    made = ExpLib()
    for n in range(size):
        made.add(
            Experience(
                f"method {n} for circles",
                tuple(Rule(f"rule {n}.{r} for circles", (f"circle {n}.{r}",)) for r in range(rules)),
                f"trajectory {n}",
                zone="warning" if n % 2 else "golden",
            )
        )
    return made


def retrieve(model, lib, query="circles"):
    return asyncio.run(MemoryRetriever(model, Prompts("aime")).retrieve(query, lib))


def test_an_empty_library_has_nothing_to_say_and_costs_nothing():
    found = retrieve(ScriptedModel(), ExpLib())
    assert (found.hits, found.text) == ((), "")


def test_a_library_no_larger_than_top_k_is_read_without_a_call():
    found = retrieve(ScriptedModel(), library(3))
    assert len([h for h in found.hits if h.level == "method"]) == 3
    assert "rule 2.0 for circles" in found.text
    assert "trajectory 1" in found.text


def test_methods_then_rules_then_trajectories_are_selected_by_the_model():
    model = ScriptedModel(fenced({"selected": [2, 1, 3, 4, 5]}), fenced({"selected": [1, 2]}))
    found = retrieve(model, library(12, rules=3))
    levels = [[h for h in found.hits if h.level == level] for level in ("method", "rule", "trajectory")]
    assert [len(hits) for hits in levels] == [5, 2, len({h.experience_id for h in levels[1]})]
    assert [h.rank for h in levels[0]] == [1, 2, 3, 4, 5]
    assert "methods" in model.asked[0][0]["content"]
    assert "rules" in model.asked[1][0]["content"]
    assert model.exhausted


def test_only_selected_rules_reach_the_text():
    model = ScriptedModel(fenced({"selected": [1]}))
    lib = library(1, rules=8)
    found = retrieve(model, lib)
    hit = next(h for h in found.hits if h.level == "rule")
    shown = [rule.rule for number, rule in enumerate(next(iter(lib)).rules) if rule.rule in found.text]
    assert shown == [next(iter(lib)).rules[hit.rule].rule]


def test_the_model_may_select_nothing():
    found = retrieve(ScriptedModel(fenced({"selected": []})), library(12))
    assert (found.hits, found.text) == ((), "")


def test_a_retriever_that_breaks_its_contract_twice_falls_back_to_the_index():
    found = retrieve(ScriptedModel("eh", "eh"), library(12))
    assert len([h for h in found.hits if h.level == "method"]) == 5


def test_a_selection_may_be_passed_in():
    async def last_two(level, query, candidates):
        return [len(candidates) - 1, len(candidates) - 2]

    lib = library(12)
    model = ScriptedModel()
    found = asyncio.run(MemoryRetriever(model, Prompts("aime"), select=last_two).retrieve("circles", lib))
    ranked = [hit.experience_id for hit in lib.search("circles", 20)]
    methods = [hit.experience_id for hit in found.hits if hit.level == "method"]
    assert (methods, model.asked) == ([ranked[11], ranked[10]], [])


def test_flat_retrieval_keeps_the_index_s_order_and_asks_nobody():
    lib = library(12)
    model = ScriptedModel()
    found = asyncio.run(MemoryRetriever(model, Prompts("aime"), select=index_order).retrieve("circles", lib))
    methods = [hit.experience_id for hit in found.hits if hit.level == "method"]
    assert (methods, model.asked) == ([hit.experience_id for hit in lib.search("circles", 5)], [])


def test_a_prompt_stays_bounded_however_large_the_library_is():
    lib = ExpLib()
    for n in range(60):
        lib.add(Experience(f"circles {n} " + "m" * 9000, (Rule("circles " + "r" * 9000),), "circles " + "t" * 9000))
    model = RuleModel(lambda _: fenced({"selected": [1, 2, 3, 4, 5]}))
    retrieve(model, lib)
    assert max(len(m[0]["content"]) for m in model.asked) < 25_000


def test_two_retrievals_share_nothing():
    model = RuleModel(lambda _: fenced({"selected": [1]}))
    retriever = MemoryRetriever(model, Prompts("aime"))
    lib = library(12)

    async def both():
        return await asyncio.gather(retriever.retrieve("circles", lib), retriever.retrieve("circles", lib))

    first, second = asyncio.run(both())
    assert first == second


@pytest.mark.parametrize(
    ("reply", "expected"),
    [({"selected": [3, 1, 3]}, [2, 0]), ({"selected": []}, []), ({"selected": [1, 2, 3, 4]}, [0, 1, 2])],
)
def test_selections_are_cut_and_unique(reply, expected):
    assert parse_selection(fenced(reply), 5, 3) == expected


@pytest.mark.parametrize("reply", [{"selected": [0]}, {"selected": [6]}, {"selected": "1"}, {"chosen": [1]}])
def test_a_selection_of_what_was_not_shown_is_malformed(reply):
    with pytest.raises(ParseError, match="selected"):
        parse_selection(fenced(reply), 5, 3)


def test_without_an_endpoint_a_retriever_by_name_says_so_at_once():
    with pytest.raises(SettingsError, match="no endpoint: export BASE_URL"):
        create_memory_retriever("m", task_type="retro")


def test_the_tool_is_called_without_a_loop():
    tool = create_memory_retrieval_tool(library(3), MemoryRetriever(ScriptedModel(), Prompts("aime")))
    assert tool.name == "memory_retrieval"
    assert "rule 1.0 for circles" in tool("circles")
    assert "Nothing" in tool("zzz")


def test_a_retrieval_takes_at_most_four_calls_whatever_the_model_says():
    model = RuleModel(lambda _: "nonsense")
    found = retrieve(model, library(40, rules=9))
    levels = 3 if any(hit.level == "trajectory" for hit in found.hits) else 2
    assert len(model.asked) <= levels + 1  # one of them once more
    assert "has to" in model.asked[1][-1]["content"]
    assert len(found.hits) > 5


def test_a_question_to_a_library_of_long_molecules_stays_below_25_000_tokens():
    made = ExpLib()
    for n in range(40):
        made.add(Experience("CC(=O)Nc1ccccc1" * 400 + str(n), (Rule("c1ccccc1 " * 400 + str(n)),), "CCO" * 9000))
    model = RuleModel(lambda _: fenced({"selected": [1, 2, 3, 4, 5]}))
    retrieve(model, made, "CC(=O)Nc1ccccc1")
    characters_a_token_of_smiles = 2
    assert sum(len(m["content"]) for asked in model.asked for m in asked) / characters_a_token_of_smiles < 25_000


def test_every_hit_says_which_revision_and_why():
    lib = library(12, rules=3)
    first = next(iter(lib))
    lib.apply(Experience("more circles", (Rule("new"),)), UpdateDecision("merge", first.id, (0,)))
    found = retrieve(RuleModel(lambda _: fenced({"selected": [1, 2, 3, 4, 5, 6]})), lib, "method 0 rule 0 trajectory")
    assert {hit.revision for hit in found.hits if hit.experience_id == first.id} == {2}
    assert {hit.revision for hit in found.hits if hit.experience_id != first.id} == {1}
    assert "words" in found.hits[0].why
    assert "selected by rule" in found.hits[0].why


def test_an_entry_that_another_one_contradicts_says_so():
    lib = ExpLib()
    old = lib.add(Experience("Always double the circle"))
    lib.apply(Experience("Never double the circle"), UpdateDecision("insert", contradicts=(old.id,)))
    text = retrieve(ScriptedModel(), lib, "circle").text
    assert "the opposite: Never double the circle" in text
    assert "the opposite: Always double the circle" in text


MARKED = (Rule("square the circles", ("circle 1", "circle 2"), "avoid"), Rule("measure circles", ("r",), "instead"))


def test_who_reads_of_an_entry_reads_what_went_wrong_there():
    lib = ExpLib()
    lib.add(Experience("circles", (*MARKED, *(Rule(f"circles {n}") for n in range(8))), "trajectory", zone="warning"))
    shown = []

    async def the_marked_one(level, query, candidates):
        shown.extend(candidates)
        return [next(n for n, text in enumerate(candidates) if text.startswith("(instead) "))]

    found = asyncio.run(MemoryRetriever(ScriptedModel(), Prompts(), select=the_marked_one).retrieve("circles", lib))
    assert "Avoid:\n1. square the circles\n   - circle 1\nRight instead:\n1. measure circles\n   - r\n" in found.text
    assert not any("square" in text for text in shown)
    assert [hit.rule for hit in found.hits if hit.level == "rule"] == [1]


def test_the_case_of_an_entry_that_only_warns_is_shown():
    lib = ExpLib()
    lib.add(Experience("circles", MARKED[:1], "how it went wrong", zone="warning"))
    assert "The failed case:\nhow it went wrong" in retrieve(ScriptedModel(), lib).text


@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: path.stem)
def test_no_rule_that_may_be_right_stands_under_a_heading_that_says_not_to_follow_it(path):
    lib = ExpLib(path)
    for entry in lib:
        hits = [Hit(entry.id, 1.0), *(Hit(entry.id, 1.0, "rule", rule=n) for n in range(len(entry.rules)))]
        text = hits_text(hits, lib, Prompts())
        avoided = text.partition("\nAvoid:\n")[2].partition("\nRight instead:\n")[0]
        assert "MISTAKE" not in text
        assert not [rule for rule in entry.rules if rule.kind != "avoid" and rule.rule in avoided]
