import asyncio

import pytest

from flex.agents.agentic_retriever import AgenticRetriever, handed_in, library_tools
from flex.agents.pool import AgentPool
from flex.explib import ExpLib
from flex.prompt import Prompts
from flex.testing import ScriptedModel
from flex.types import Experience, Rule

PROMPTS = Prompts("aime")


def library() -> ExpLib:
    made = ExpLib()
    for topic in ("circles", "primes", "sums"):
        rules = (Rule(f"first rule of {topic}"), Rule(f"second rule of {topic}"))
        made.add(Experience(f"method of {topic}", rules, f"case of {topic}", problem_category=topic))
    return made


def ids(lib: ExpLib) -> dict[str, str]:
    return {e.problem_category: e.id for e in lib}


def retrieve(model, lib, hidden=()):
    with AgentPool(model, PROMPTS) as agents:
        return asyncio.run(AgenticRetriever(agents, PROMPTS).retrieve("sums of primes", lib, hidden))


def test_an_agent_walks_the_levels_and_hands_in_what_it_found():
    lib = library()
    primes = ids(lib)["primes"]
    model = ScriptedModel(
        "<code>\nprint(list_categories())\nprint(search_methods(query='primes'))\n</code>",
        f"<code>\nprint(read_rules(experience_id='{primes}'))\nprint(read_trajectory(experience_id='{primes}'))\n</code>",
        f"<code>\nfinal_answer({{'methods': ['{primes}'], 'rules': [['{primes}', 2]], 'trajectories': []}})\n</code>",
    )
    found = retrieve(model, lib)
    assert [(h.experience_id, h.level, h.rule) for h in found.hits] == [(primes, "method", None), (primes, "rule", 1)]
    assert "second rule of primes" in found.text
    assert "first rule of primes" not in found.text
    assert "method of primes" in model.asked[1][-1]["content"]
    assert "case of primes" in model.asked[2][-1]["content"]


def test_every_entry_can_be_reached_but_the_hidden_ones():
    lib = library()
    hidden = ids(lib)["sums"]
    tools = {tool.name: tool for tool in library_tools(lib, [hidden])}
    assert "circles" in tools["list_categories"]()
    shown = tools["list_categories"]() + tools["search_methods"]("sums") + tools["read_rules"](hidden)
    assert hidden not in shown
    assert "method of sums" not in shown


def test_nothing_in_the_library_costs_nothing():
    assert retrieve(ScriptedModel(), ExpLib()).hits == ()


def test_an_agent_that_hands_in_no_selection_leaves_the_order_of_the_index():
    found = retrieve(ScriptedModel("<code>\nfinal_answer('no idea')\n</code>"), library())
    assert len([h for h in found.hits if h.level == "method"]) == 3


@pytest.mark.parametrize(
    ("output", "levels"),
    [
        ({}, []),
        ({"methods": ["ID", "nobody", 7, "ID"]}, ["method", "method"]),
        ({"rules": [["ID", 1], ["ID", 3], ["ID"], "ID", [["x"], 1], ["ID", "1"]]}, ["rule"]),
        ({"trajectories": "ID"}, []),
    ],
)
def test_what_is_unknown_is_left_out(output, levels):
    lib = library()
    real = ids(lib)["circles"]

    def named(value):
        if isinstance(value, dict):
            return {key: named(inner) for key, inner in value.items()}
        return [named(inner) for inner in value] if isinstance(value, list) else real if value == "ID" else value

    assert [h.level for h in handed_in(named(output), lib, ())] == levels


@pytest.mark.parametrize("output", [None, "text", [1], 7])
def test_what_is_no_dictionary_is_no_selection(output):
    assert handed_in(output, library(), ()) is None
