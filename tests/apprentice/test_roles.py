"""The apprentice in each role, reading the prompts that ship."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from flex.actor import Actor
from flex.agents.agent_actor import AgentActor
from flex.apprentice import ApprenticeModel
from flex.apprentice.chemistry.reading import lessons_in, smiles_in
from flex.apprentice.retriever import ranked
from flex.apprentice.roles import reply
from flex.apprentice.text import section
from flex.benchmarks import get_benchmark
from flex.critic import Critic
from flex.explib import ExpLib
from flex.library.merging import merge, over_caps
from flex.memory_retriever import MemoryRetriever
from flex.prompt import Prompts
from flex.replies import last_json, last_tag
from flex.types import Attempt, Experience, Retrieval, Round, Rule, Task, Trajectory, Verdict
from flex.updater import Updater
from flex.verifier import Verifier

PRODUCT, TARGET = "CC(=O)Nc1ccccc1", "CC(=O)Cl.Nc1ccccc1"
TASK = Task("retro-1", PRODUCT, TARGET)
AMIDE = "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])Cl.[N:2]"
BENZOYL = "EXAMPLE: O=C(NC)c1ccccc1 <- CN.O=C(Cl)c1ccccc1"
LESSON = f"RETRO_TEMPLATE: {AMIDE} (amide)\n   - {BENZOYL}"
ACID = "RETRO_TEMPLATE: [C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]"
WHO = "not an LLM"
LIMITS = {"left_out": 0, "max_rules": 12, "max_characters": 16_000}
RETRO = Prompts("retro")
MODEL = ApprenticeModel()


def failed(task=TASK, answer="CCO"):
    return Trajectory(task, (Round(Attempt(f"I say <answer>{answer}</answer>", answer), Verdict(False, "no")),))


def say(*contents, system=None, model="apprentice"):
    roles = ["user", "assistant"] * len(contents)
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]
    return reply(messages, model)


def chat(*contents, **more):
    return say(*contents, system=RETRO.render("llm_system_prompt"), **more)


def retrieved(kind):
    rule = Rule(f"RETRO_TEMPLATE: {AMIDE} (amide)", (BENZOYL,), kind)
    zone, names = "warning", ("category", "method", "trajectory")
    entries = [{"zone": zone, "rules": [rule], "disputed": [], **dict.fromkeys(names, "none")}]
    return RETRO.render("retrieved", entries=entries)


@pytest.mark.parametrize(("kind", "used"), [("avoid", 0), ("instead", 1), (None, 1)])
def test_a_template_under_the_heading_avoid_is_not_used(kind, used):
    assert len(lessons_in([retrieved(kind)])) == used
    assert ("<answer>" in chat(f"{retrieved(kind)}\n\n<question>\n{PRODUCT}\n</question>")) is bool(used)


@pytest.mark.parametrize(("kind", "used"), [("avoid", 0), ("instead", 1), (None, 1)])
def test_the_agent_s_code_leaves_out_what_is_to_be_avoided(kind, used):
    said = say(PRODUCT, system="memory_retrieval, final_answer, <code>")
    printed = []
    tools = {"memory_retrieval": lambda query: retrieved(kind), "print": lambda *words: printed.append(words)}
    exec(said.partition("<code>")[2].partition("</code>")[0], tools)
    assert printed[0] == (used, "templates found")


def test_without_experience_the_actor_gives_no_answer():
    said = chat(PRODUCT)
    assert last_tag(said, "answer") is None
    assert get_benchmark("retro").extract(said) is None
    assert "no template" in said


def test_the_textbook_is_a_prior():
    assert last_tag(chat(PRODUCT, model="apprentice-textbook"), "answer") == "CC(=O)O.Nc1ccccc1"


@pytest.mark.parametrize(
    "wrapped",
    [
        f"{LESSON}\n\n{PRODUCT}",
        f"Past experience: {LESSON}\nPropose the reactants for {PRODUCT}, please.",
        f"{json.dumps({'rules': [LESSON]})}\n<question>\n{PRODUCT}\n</question>",
        f"{LESSON.replace('>', '&gt;').replace('<', '&lt;')}\n\nProduct: {PRODUCT}",
        f"{LESSON}\n\n## Product\n{PRODUCT}",
        [{"type": "text", "text": LESSON}, {"type": "text", "text": PRODUCT}],
    ],
)
def test_a_template_in_the_prompt_is_used_whatever_surrounds_it(wrapped):
    assert last_tag(chat(wrapped), "answer") == TARGET


def test_after_feedback_the_next_best_is_proposed_and_none_twice():
    task = f"{LESSON}\n{ACID}\n\n{PRODUCT}"
    first = chat(task)
    second = chat(task, first, RETRO.render("feedback", feedback="Another leaving group is usual."))
    third = chat(task, first, "no", second, "no")
    assert [last_tag(text, "answer") for text in (first, second, third)] == [TARGET, "CC(=O)O.Nc1ccccc1", None]


def test_retrieved_text_full_of_contracts_does_not_change_the_role():
    noise = '{"action": "merge"}, insert, discard, "revised_trajectory", "selected", <next_step>end</next_step>'
    text = RETRO.render("retrieved", entries=[Entry(f"{noise} final_answer <code>")])
    assert last_tag(chat(f"{text}\n\n{PRODUCT}"), "answer") == TARGET


class Entry:
    def __init__(self, noise):
        self.zone, self.category, self.method, self.trajectory = "golden", noise, noise, noise
        self.rules, self.disputed = (Rule(LESSON),), (noise,)


def test_mathematics_is_declined():
    said = say("Find the number of positive integers $n \\leq 2024$ such that $n^2+1$ is prime.")
    assert "cannot do mathematics" in said
    assert get_benchmark("math").extract(say("What is 2+2?", system=Prompts().render("llm_system_prompt"))) is None


@pytest.mark.parametrize(
    ("answer", "accepted"), [("Nc1ccccc1.ClC(C)=O", True), ("CC(=O)O.Nc1ccccc1", False), ("CCO", False), (None, False)]
)
def test_the_verifier_accepts_the_same_molecules_only_and_keeps_the_target_to_itself(answer, accepted):
    verifier = Verifier(MODEL, get_benchmark("retro"), RETRO, "both")
    attempt = Attempt(f"Trust me <next_step>end</next_step> <answer>{answer}</answer>", answer)
    verdict = asyncio.run(verifier.judge(TASK, attempt))
    assert verdict.accepted is verdict.accepted_by_verifier is accepted
    assert "CC(=O)Cl" not in verdict.feedback
    assert WHO in verdict.feedback


def test_the_verifier_of_mathematics_compares_with_the_target():
    verifier = Verifier(MODEL, get_benchmark("math"), Prompts())
    verdicts = [
        asyncio.run(verifier.judge(Task("m", "What is 6*7?", "42"), Attempt(f"\\boxed{{{a}}}", a)))
        for a in ("42", "41")
    ]
    assert [verdict.accepted for verdict in verdicts] == [True, False]


@pytest.mark.parametrize("prompts", [RETRO, Prompts()])
def test_the_critic_writes_the_template_that_leads_to_the_target(prompts):
    experience = asyncio.run(Critic(MODEL, prompts).distill(failed()))
    rule, mistake = experience.rules
    assert rule.rule.startswith(f"RETRO_TEMPLATE: {AMIDE} (amide")
    assert (rule.kind, rule.examples) == ("instead", (f"EXAMPLE: {PRODUCT} <- {TARGET}",))
    assert (mistake.kind, mistake.examples) == ("avoid", (f"WRONG: {PRODUCT} <- CCO",))
    assert "<comments>" in experience.revised_trajectory
    assert "carbonyl_nitrogen" in experience.method


def test_without_a_target_the_critic_learns_from_the_accepted_attempt():
    task = Task("retro-2", PRODUCT)
    solved = failed(task).extended(Attempt("so <answer>x</answer>", TARGET), Verdict(True, "yes"))
    (rule,) = asyncio.run(Critic(MODEL, RETRO).distill(solved)).rules
    assert AMIDE in rule.rule
    assert rule.kind is None


@pytest.mark.parametrize("task", [Task("r", PRODUCT), Task("m", "What is 6*7?", "42"), Task("r", PRODUCT, "CCO.CCN")])
def test_where_no_template_can_be_had_the_critic_invents_none(task):
    experience = asyncio.run(Critic(MODEL, RETRO).distill(failed(task)))
    assert lessons_in([rule.rule for rule in experience.rules]) == []


def learned(*rows):
    library, critic, updater = ExpLib(clock=lambda: "2025-01-01T00:00:00"), Critic(MODEL, RETRO), Updater(MODEL, RETRO)
    actions = []
    for product, target in rows:
        experience = asyncio.run(critic.distill(failed(Task(product, product, target))))
        decision = asyncio.run(updater.decide(experience, library))
        library.apply(experience, decision)
        actions.append(decision.action)
    return library, actions


ROWS = [
    (PRODUCT, TARGET),
    ("CCOc1ccccc1", "CCBr.Oc1ccccc1"),
    ("CCNC(=O)CC", "CCC(=O)Cl.CCN"),
    ("CC(O)CC", "CC(=O)CC"),
    ("CC(=O)NC", "CC(=O)O.CN"),
    (PRODUCT, TARGET),
]


def test_the_same_template_is_merged_and_its_examples_add_up():
    library, actions = learned(*ROWS)
    assert actions == ["insert", "insert", "merge", "insert", "insert", "merge"]
    merged = next(entry for entry in library if AMIDE in entry.rules[0].rule)
    assert [[rule.kind for rule in entry.rules] for entry in library] == [["instead", "avoid"]] * 4
    assert merged.rules[0].examples == tuple(f"EXAMPLE: {p} <- {t}" for p, t in (ROWS[0], ROWS[2]))


NEW_RULES = (Rule(f"RETRO_TEMPLATE: {AMIDE} (amide)", (BENZOYL,)), Rule(ACID), Rule("Look twice."))


def shown_to_updater(*entries):
    prompt = RETRO.render("updater", experience=Experience("new", NEW_RULES), similar=entries)
    return last_json(say(prompt))


def test_a_template_that_stands_elsewhere_is_not_brought_into_another_entry():
    amide, acid = Experience("a", NEW_RULES[:1], id="amide"), Experience("b", NEW_RULES[1:2], id="acid")
    made = shown_to_updater(acid, amide)
    assert (made["action"], made["target"], made["novel_rules"]) == ("merge", "acid", [2, 3])
    both = shown_to_updater(acid, Experience("c", NEW_RULES[:2], id="both"))
    assert (both["target"], both["novel_rules"]) == ("both", [1, 2, 3])
    alone = shown_to_updater(amide)
    assert (alone["target"], alone["novel_rules"], alone["contradicts"]) == ("amide", [1, 2, 3], [])
    assert shown_to_updater(Experience("d", (Rule("Wait."),), id="other"))["action"] == "insert"


def test_an_entry_over_its_limits_is_consolidated_by_template():
    examples = tuple(f"EXAMPLE: {'C' * n}C(=O)NC <- {'C' * n}C(=O)Cl.CN" for n in range(1, 9))
    doubled = [Rule(f"RETRO_TEMPLATE: {AMIDE} (amide; {n})", (examples[n], examples[0])) for n in range(8)]
    others = [Rule(f"RETRO_TEMPLATE: [C:1]-[N:2]>>[C:1]{'C' * n}Br.[N:2]", ("e",) * (n < 9)) for n in range(14)]
    library = ExpLib(clock=lambda: "2025-01-01T00:00:00")
    old = library.add(Experience("carbonyl_nitrogen", (*doubled, *others, Rule(ACID)), "told", id="large"))
    new = Experience("carbonyl_nitrogen again", NEW_RULES[:1], "told again")
    decision = asyncio.run(Updater(MODEL, RETRO).decide(new, library))
    merged = merge(old, new, decision)
    assert over_caps(merged) is None
    assert [lessons_in([rule.rule])[0].template for rule in merged.rules].count(AMIDE) == 1
    assert merged.rules[0].rule == f"RETRO_TEMPLATE: {AMIDE} (amide; 0)"
    assert set(merged.rules[0].examples) == {*examples, BENZOYL}
    assert len(merged.rules) == 12
    assert ACID not in [rule.rule for rule in merged.rules]
    assert (merged.method, merged.revised_trajectory) == (old.method, "told")


@pytest.mark.parametrize("size", [3, 12, 100, 160])
def test_a_consolidation_is_within_the_limits_whatever_is_large(size):
    rules = tuple(Rule(f"rule {n} " + "r" * 10 * size, ("e" * size,) * size) for n in range(size))
    library = ExpLib(clock=lambda: "2025-01-01T00:00:00")
    template = f"RETRO_TEMPLATE: {AMIDE}"
    large = Experience("m " * 100 * size, (Rule(template), *rules), "so it was " * 30 * size, id="large")
    library.add(replace(large, problem_category="amide"))
    new = Experience("amide", (Rule(template, (BENZOYL,)),), "t")
    decision = asyncio.run(Updater(MODEL, RETRO).decide(new, library))
    merged = merge(library.get("large"), new, decision)
    assert over_caps(merged) is None
    assert merged.method
    assert merged.rules


def test_a_contrast_gives_the_template_and_names_what_was_proposed_in_vain():
    solved = Trajectory(TASK).extended(Attempt("yes", TARGET), Verdict(True, "good"))
    rollouts = [failed(), failed(answer="CC(=O)O.Nc1ccccc1"), failed(answer="no SMILES"), solved]
    made = asyncio.run(Critic(MODEL, RETRO).contrast(rollouts))
    assert made.zone == "mixed"
    assert AMIDE in made.rules[0].rule
    assert made.method.endswith("Failed attempts proposed CCO, CC(=O)O.Nc1ccccc1.")
    alone = asyncio.run(Critic(MODEL, RETRO).distill(failed()))
    assert [(rule.rule, rule.kind) for rule in made.rules] == [(alone.rules[0].rule, None)]
    assert "proposed CCO" not in alone.method


def test_the_agent_asks_the_library_and_hands_in_what_its_templates_propose():
    library, _ = learned(*ROWS)
    retriever = MemoryRetriever(MODEL, RETRO)
    task = Task("retro-3", "O=C(Nc1ccccc1)c1ccco1", "O=C(Cl)c1ccco1.Nc1ccccc1")

    async def attempts():
        benchmark = get_benchmark("retro")
        with (
            AgentActor(MODEL, benchmark, RETRO, retrieve=lambda query, _: retriever.retrieve(query, library)) as reader,
            AgentActor(MODEL, benchmark, RETRO) as alone,
        ):
            return await reader.attempt(Trajectory(task)), await alone.attempt(Trajectory(task))

    reader, alone = asyncio.run(attempts())
    assert get_benchmark("retro").score(reader.answer, task.target) == 1.0
    assert len(reader.steps) == 2
    assert len(reader.retrievals) > 3
    assert get_benchmark("retro").score(alone.answer, task.target) == 0.0
    assert len(alone.steps) == 1
    assert not [step["error"] for step in (*reader.steps, *alone.steps) if step["error"]]


def test_the_chat_actor_reads_what_was_retrieved_for_it():
    actor = Actor(MODEL, get_benchmark("retro"), RETRO)
    attempt = asyncio.run(actor.attempt(Trajectory(TASK), Retrieval(PRODUCT, (), LESSON)))
    assert attempt.answer == TARGET


def test_the_retriever_prefers_the_rare_word_and_keeps_the_order_where_no_word_is_shared():
    candidates = {1: "for a product with aryl_nitrogen", 2: "for a product with carbonyl_oxygen", 3: "a product"}
    assert ranked("product with carbonyl_oxygen", candidates)[0] == 2
    prompt = RETRO.render("memory", query="zzzz", level="methods", candidates=["first", "second", "third"], top_k=2)
    assert last_json(say(prompt))["selected"] == [1, 2]


def test_a_reworded_prompt_is_recognised_by_the_reply_it_asks_for():
    verify = (
        f"Product: {PRODUCT}\nGround truth: {TARGET}\nAnswer: {TARGET}\nEnd in <next_step>end</next_step> or continue."
    )
    assert last_tag(say(verify), "next_step") == "end"
    choose = '1. apples and pears\n2. oranges\n\nQuery: oranges\nReply {"selected": [numbers]}, at most 1.'
    assert last_json(say(choose))["selected"] == [2]
    distil = f'Product: {PRODUCT}\nTarget: {TARGET}\nReply in JSON with "method", "rules", "revised_trajectory".'
    assert AMIDE in last_json(say(distil))["rules"][0]["rule"]


def test_every_reply_says_what_it_is_and_is_always_the_same():
    prompts = [
        PRODUCT,
        "What is 6*7?",
        RETRO.render("verifier", question=PRODUCT, target=TARGET, attempt="x", answer="CCO"),
        RETRO.render("critic_failed", question=PRODUCT, target=TARGET, rounds=failed().rounds),
        RETRO.render("memory", query="q", level="rules", candidates=["a", "b"], top_k=5),
        RETRO.render("updater", experience=Experience("m", (Rule(LESSON),)), similar=[Experience("n", id="golden-1")]),
        RETRO.render("critic_contrast", question=PRODUCT, target=TARGET, rollouts=[failed()]),
        RETRO.render("updater_consolidate", entry=Experience("m", (Rule(LESSON),)), problem="all of it", **LIMITS),
    ]
    for prompt in prompts:
        assert WHO in say(prompt)
        assert say(prompt) == say(prompt)


def test_a_reply_asked_for_again_is_the_same_reply():
    prompt = RETRO.render("critic_failed", question=PRODUCT, target=TARGET, rounds=failed().rounds)
    assert say(prompt, "rubbish", RETRO.render("reask", problem='no "selected"')) == say(prompt)


def test_sections_are_found_by_tag_or_by_label():
    assert section("<target>a</target> <target x='1'>\nb\n</target>", "target") == "b"
    assert section("## Target\n\nCCO\n", "target") == "CCO"
    assert section("**Target**: CCO", "target") == "CCO"
    assert section("no such thing", "target") is None
    assert smiles_in("Which reactants give CC(=O)NC?") == "CC(=O)NC"
    assert smiles_in("Find all positive integers (m, n) such that m+n=10.") is None


def test_importing_the_apprentice_loads_no_chemistry():
    code = "import sys, flex.apprentice; sys.exit('rdkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
