"""The prompts as a model will see them, and how a prompt is found and rendered.

The renderings are kept in tests/golden/prompts/. After a change to a prompt, look at the difference that this writes:

    FLEX_UPDATE_GOLDEN=1 python -m pytest tests/test_prompt.py
"""

import os
from pathlib import Path

import jinja2
import jinja2.meta
import pytest
from smolagents import tool
from smolagents.agents import populate_template
from smolagents.default_tools import FinalAnswerTool

from flex.benchmarks import benchmark_names, get_benchmark
from flex.errors import ParseError, PromptError
from flex.files.paths import shipped
from flex.library.entry import texts_of
from flex.memory_retriever import parse_selection
from flex.prompt import Prompts
from flex.replies import LessonReply, parse_experience
from flex.types import Attempt, Experience, Round, Rule, Task, Trajectory, Verdict
from flex.updater import parse_decision
from flex.verifier import parse_verdict

GOLDEN = Path(__file__).parent / "golden" / "prompts"
STEMS = sorted(path.stem for path in shipped("prompts").glob("*.txt"))

ROUNDS = (
    Round(Attempt("Twice 3 is 5, so \\boxed{5}.", "5"), Verdict(False, "Doubling adds 3 to 3; recount.")),
    Round(Attempt("Twice 3 is 6, so \\boxed{6}.", "6"), Verdict(True, "Holds.")),
)
NEW = Experience(
    "Double by adding a number to itself.",
    (Rule("When asked for twice n, add n to n.", ("3 + 3 = 6", "4 + 4 = 8")), Rule("Check by halving.")),
    "3 + 3 = 6 <comments>first 5</comments>",
    problem_category="Doubling",
)
OLD = Experience(
    "Count on fingers.", (Rule("Use both hands."),), "1, 2, 3", zone="warning", id="a1", problem_category=""
)


def entry(zone, category, method, rules=(), trajectory="", disputed=()) -> dict:
    names = ("zone", "category", "method", "rules", "trajectory", "disputed")
    return dict(zip(names, (zone, category, method, rules, trajectory, disputed), strict=True))


ENTRIES = [
    entry("golden", "Doubling", NEW.method, NEW.rules, "3 + 3 = 6"),
    entry("warning", "", OLD.method, OLD.rules, disputed=["Never double."]),
    entry("mixed", "Halving", "Share evenly."),
]
ACTOR = {"question": "What is twice 3?", "has_memory": True}
VERIFIER = {"question": "What is twice 3?", "target": "6", "attempt": "Twice 3 is 5.", "answer": "5"}
CRITIC = {"question": "What is twice 3?", "target": "6", "rounds": ROUNDS}
TASK = Task("t", "What is twice 3?", "6")
CONTRAST = {**CRITIC, "rollouts": [Trajectory(TASK, ROUNDS[:1]), Trajectory(TASK, ROUNDS[1:])]}
del CONTRAST["rounds"]
CONSOLIDATE = {"entry": NEW, "problem": "3 rules", "left_out": 1, "max_rules": 2, "max_characters": 500}
PROGRESS = {"score": 0.5, "problem": "", "improved": False, "best": 0.6, "best_answer": "rank(a)"}
MEMORY = {"query": "doubling 3", "level": "rules", "candidates": ["Use both hands.", "Add n to n."], "top_k": 5}
VARIABLES = {
    "actor": ACTOR,
    "agent_out_of_steps": {},
    "critic_contrast": CONTRAST,
    "critic": CRITIC,
    "executor": {},
    "feedback": {"feedback": "Doubling adds 3 to 3; recount."},
    "icl": {"examples": [Task("t", "What is twice 2?", "4"), Task("u", "What is twice 5?", "10")]},
    "llm_system_prompt": {},
    "retrieval_agent": {"query": "twice a number", "top_k": 5},
    "memory": MEMORY,
    "overruled": {},
    "progress": PROGRESS,
    "reask": {"problem": "the json block has to hold an object"},
    "retrieved": {"entries": ENTRIES},
    "updater_consolidate": CONSOLIDATE,
    "updater": {"experience": NEW, "similar": [OLD]},
    "verifier": VERIFIER,
}
AGENT_SYSTEM = {
    "authorized_imports": "['json', 'math', 're']",
    "code_block_closing_tag": "</code>",
    "code_block_opening_tag": "<code>",
    "custom_instructions": Prompts().text("executor_monty").strip(),
    "managed_agents": {},
}


@tool
def memory_retrieval(query: str) -> str:
    """Look up what was learned from earlier problems.

    Args:
        query: What is needed.
    """
    return query


def agent_system(**changes) -> str:
    """The agent's system prompt, rendered by smolagents as it does it."""
    tools = {"memory_retrieval": memory_retrieval, "final_answer": FinalAnswerTool()}
    return populate_template(Prompts().text("agent_system"), AGENT_SYSTEM | {"tools": tools} | changes)


def variables(stem: str) -> dict:
    return next(values for name, values in VARIABLES.items() if stem.startswith(name))


def rendered(stem: str, **changes) -> str:
    return agent_system() if stem == "agent_system" else Prompts().render(stem, **(variables(stem) | changes))


def static(stem: str) -> str:
    """A template up to its first variable or block."""
    text = Prompts().text(stem)
    return text[: min(text.find(mark) % (len(text) + 1) for mark in ("{{", "{%"))]


@pytest.mark.parametrize("stem", STEMS)
def test_a_prompt_reads_as_it_was_reviewed(stem):
    golden = GOLDEN / f"{stem}.txt"
    if os.environ.get("FLEX_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(rendered(stem) + "\n", encoding="utf-8")
    assert rendered(stem) + "\n" == golden.read_text(encoding="utf-8")


def test_every_golden_rendering_belongs_to_a_prompt():
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == STEMS


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem != "agent_system"])
def test_a_prompt_uses_the_variables_it_is_given(stem):
    used = jinja2.meta.find_undeclared_variables(jinja2.Environment().parse(Prompts().text(stem)))
    assert used == set(variables(stem))


@pytest.mark.parametrize("stem", [s for s in STEMS if s.startswith(("verifier", "critic", "updater", "memory"))])
def test_the_static_part_comes_first_and_is_most_of_a_template(stem):
    assert rendered(stem).startswith(static(stem).strip())
    assert len(static(stem)) >= 0.6 * len(Prompts().text(stem))


OTHER = {
    "actor": {"question": "Name a prime."},
    "critic_contrast": {"question": "Name a prime.", "target": None, "rollouts": []},
    "critic": {"question": "Name a prime.", "target": None, "rounds": ROUNDS[:1]},
    "memory": {"query": "a prime", "level": "methods", "candidates": ["Try 2."], "top_k": 1},
    "updater_consolidate": {"entry": OLD, "problem": "9,999 characters", "left_out": 0},
    "updater": {"experience": OLD, "similar": [NEW, NEW]},
    "verifier": {"question": "Name a prime.", "target": None, "attempt": "9", "answer": None},
}


@pytest.mark.parametrize("stem", [s for s in STEMS if s.startswith(tuple(OTHER))])
def test_two_tasks_share_everything_before_the_data(stem):
    other = next(values for name, values in OTHER.items() if stem.startswith(name))
    one, two = rendered(stem), rendered(stem, **other)
    shared = one[: next(place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)]
    template = Prompts().text(stem)
    assert len(shared) >= 0.8 * template.index("{{")  # of the actor's two versions, with and without memory, one
    assert shared.rstrip().endswith(("<question>", "<level>", '<similar_experience id="', '<entry zone="'))


CONTRACTS = {"verifier": "<next_step>", "critic": '"revised_trajectory"', "updater": '"action"', "memory": '"selected"'}


@pytest.mark.parametrize("stem", STEMS)
def test_a_role_is_recognised_by_its_reply_contract_alone(stem):
    text = Prompts().text(stem)
    answered_like = "critic" if stem == "updater_consolidate" else stem  # both write an experience
    assert {r for r, mark in CONTRACTS.items() if mark in text} == {r for r in CONTRACTS if answered_like.startswith(r)}


@pytest.mark.parametrize("stem", [s for s in STEMS if s.startswith("critic")])
def test_the_example_of_a_critic_keeps_the_critic_s_contract(stem):
    experience = parse_experience(static(stem), "golden")
    assert experience.problem_category
    assert experience.rules[0].examples
    assert "<comments>" in experience.revised_trajectory


def test_the_example_of_a_consolidation_is_an_experience():
    assert parse_experience(static("updater_consolidate"), "golden").rules[0].examples


@pytest.mark.parametrize("stem", [s for s in STEMS if s.startswith("memory")])
def test_the_example_of_a_retriever_selects_nothing(stem):
    with pytest.raises(ParseError):
        parse_selection(static(stem), candidates=3, top_k=5)


def test_the_example_of_the_updater_decides_nothing():
    with pytest.raises(ParseError, match="action"):
        parse_decision(static("updater"), {"a1"}, rules=2)


@pytest.mark.parametrize("stem", ["verifier", "verifier_retro"])
def test_the_example_of_a_verifier_is_no_feedback(stem):
    accepted, feedback = parse_verdict(static(stem).rpartition("Example of the form")[2].partition("\n\n")[0])
    assert not accepted
    with pytest.raises(ParseError, match="copies its prompt"):
        Prompts().refuse_copies(stem, feedback.partition("\n")[2])


@pytest.mark.parametrize("stem", [s for s in STEMS if s.startswith("critic") or s == "updater_consolidate"])
def test_no_text_of_an_example_that_is_an_experience_can_be_handed_in(stem):
    example = parse_experience(static(stem), "warning")
    for text in filter(None, texts_of(example)):
        with pytest.raises(ParseError, match="copies its prompt"):
            Prompts().refuse_copies(stem, text)


@pytest.mark.parametrize("stem", [s for s in STEMS if s.startswith("critic_failed")])
def test_a_critic_of_failures_is_asked_for_what_to_avoid_and_what_is_right(stem):
    assert [rule.kind for rule in parse_experience(static(stem), "warning", LessonReply).rules] == ["avoid", "instead"]


@pytest.mark.parametrize("stem", [s for s in STEMS if s.startswith(("verifier", "critic"))])
def test_a_task_without_a_target_shows_none(stem):
    assert "<target>\n6\n</target>" in rendered(stem)
    assert "<target>" not in rendered(stem, target=None)


def test_an_attempt_without_an_answer_says_so():
    assert "no final answer in the required form" in rendered("verifier", answer=None)
    assert "None" not in rendered("verifier_retro", answer=None)


@pytest.mark.parametrize("stem", [s for s in STEMS if s.startswith("actor")])
def test_an_actor_hears_of_the_library_only_when_there_is_one(stem):
    assert "memory_retrieval(query)" in rendered(stem)
    assert "memory" not in rendered(stem, has_memory=False)
    assert "library" not in rendered(stem, has_memory=False)
    assert rendered(stem).endswith("<question>\nWhat is twice 3?\n</question>")


def test_what_a_task_says_is_not_a_template():
    assert "{{ target }} \\frac{1}{2} {% if x %}" in rendered(
        "verifier", question="{{ target }} \\frac{1}{2} {% if x %}"
    )


def test_a_retrieved_entry_says_what_it_was_learned_from():
    text = rendered("retrieved")
    headings = ("PROVEN APPROACH: Doubling", "LEARNED FROM A FAILED ATTEMPT\n", "FAILURE AND SUCCESS")
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert text.count("\nRules:\n") == text.count("\nRules, on what went wrong and on what is right:\n") == 1
    assert text.count("\nWorked case:\n") == 1


def test_what_went_wrong_and_what_is_right_stand_under_headings_of_their_own():
    rules = [Rule("Triple it.", ("3 became 9",), "avoid"), Rule("Look.", ()), Rule("Double it.", ("6",), "instead")]
    for zone in ("golden", "warning", "mixed"):
        text = rendered("retrieved", entries=[entry(zone, "", "m", rules)])
        assert "Avoid:\n1. Triple it.\n   - 3 became 9\nRight instead:\n1. Double it.\n   - 6\n" in text
        assert text.index("1. Look.") < text.index("Avoid:\n")


def test_a_retrieved_template_stays_on_one_line_with_its_example():
    rule = Rule("RETRO_TEMPLATE: [C:1]-[O:2]>>[C:1].[O:2] (ether)", ("EXAMPLE: COC <- CI.CO",))
    one = entry("golden", "", "m", [rule])
    lines = rendered("retrieved", entries=[one]).splitlines()
    assert any(line.endswith(rule.rule) for line in lines)
    assert any(line.endswith(rule.examples[0]) for line in lines)


def test_the_agent_s_system_prompt_is_short_and_says_how_to_finish():
    text = agent_system()
    assert len(text) < 2800  # about 700 tokens
    assert "def memory_retrieval(query: string) -> string:" in text
    assert "final_answer(" in text
    assert text.count("<code>\n") == 3


def test_the_agent_s_system_prompt_says_what_the_interpreter_is():
    assert "\n\nBe brief.\n\n" in agent_system(custom_instructions="Be brief.")


def test_the_family_s_file_comes_before_the_default_and_the_plain_one():
    assert Prompts("retro").path("actor").name == "actor_retro.txt"
    assert Prompts("chess").path("actor").name == "actor_default.txt"
    assert Prompts("protein").path("verifier").name == "verifier.txt"
    assert Prompts("retro").path("llm_system_prompt").name == "llm_system_prompt_retro.txt"
    assert Prompts("aime").path("llm_system_prompt").name == "llm_system_prompt.txt"


def test_an_override_comes_first_and_none_is_no_override(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("Judge {{ attempt }}.")
    assert Prompts("retro", {"verifier": mine}).render("verifier", attempt="it") == "Judge it."
    assert Prompts("retro", {"verifier": None}).path("verifier").name == "verifier_retro.txt"


def test_an_unknown_variable_is_named_with_those_there_are(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("Judge {{ atempt }}.")
    with pytest.raises(PromptError, match=r"mine\.txt: 'atempt' is undefined; it may use: answer, attempt"):
        Prompts(overrides={"verifier": mine}).render("verifier", attempt="it", answer="5")


def test_a_broken_template_is_named(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("{% if x %}")
    with pytest.raises(PromptError, match=r"mine\.txt: .*; it may use: none"):
        Prompts(overrides={"verifier": mine}).render("verifier")


def test_a_missing_prompt_is_named():
    with pytest.raises(PromptError, match=r"no prompt 'poem': .*poem_retro\.txt does not exist"):
        Prompts("retro").path("poem")
    with pytest.raises(PromptError, match=r"no prompt 'verifier': nowhere\.txt does not exist"):
        Prompts(overrides={"verifier": "nowhere.txt"}).render("verifier")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe\x00", "is not UTF-8 text"), (b"", "is empty"), (b" \n", "is empty"), (None, "is a folder")],
)
def test_a_file_that_is_no_text_is_named_as_what_it_is(tmp_path, content, message):
    mine = tmp_path / "mine.txt"
    mine.mkdir() if content is None else mine.write_bytes(content)
    with pytest.raises(PromptError, match=rf"prompt 'verifier': .*mine\.txt {message}"):
        Prompts(overrides={"verifier": mine}).checked(["verifier"])


def test_the_hash_changes_with_the_text(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("one")
    before = Prompts(overrides={"verifier": mine}).sha256("verifier")
    mine.write_text("two")
    assert len(before) == 64
    assert before != Prompts(overrides={"verifier": mine}).sha256("verifier")


def test_a_run_sees_one_version_of_a_prompt(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("one {{ x }}")
    prompts = Prompts(overrides={"verifier": mine})
    before = prompts.render("verifier", x=1), prompts.sha256("verifier")
    mine.write_text("two {{ x }}")
    assert (prompts.render("verifier", x=1), prompts.sha256("verifier")) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ everything }}", "unknown variable 'everything'; it may use: answer, attempt, question, target"),
        ("{% if %}", "is not a template"),
        ("{{ question }} {{ answer }", "is not a template"),
    ],
)
def test_an_overriding_prompt_is_checked_before_a_run(tmp_path, text, message):
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(PromptError, match=message):
        Prompts(overrides={"verifier": tmp_path / "mine.txt"}).checked(["verifier"])


def test_our_prompts_pass_the_check():
    for family in {"default", *(get_benchmark(name).prompts for name in benchmark_names())}:
        hashes = Prompts(family).checked(STEMS)
        assert all(len(found) == 64 for found in hashes.values())
