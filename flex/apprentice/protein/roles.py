"""The roles on assays: formulas are improved by climbing, and written down with their scores.

Nothing is known of any column beforehand. What the actor learns it reads: scores in the feedback of its rounds, and
formulas with scores in retrieved experience.
"""

import json
import re
from collections.abc import Sequence

from flex.apprentice.actor import WHO, step
from flex.apprentice.protein.hill_climbing import best_of, climb
from flex.apprentice.protein.formulas import Scored
from flex.apprentice.protein.prompts import (
    Assay,
    assay_in,
    before_question,
    elsewhere,
    measured,
    of_assay,
    recalled,
)
from flex.apprentice.text import Messages, first_prompt, prompts, texts
from flex.apprentice.updater import NEW_EXPERIENCE, decision

TRIES = 5
"""Formulas out of experience that are tried before anything else."""


_HOW = "formulas and their scores"
_RULE = re.compile(r"<rule\b[^<>]*>", re.IGNORECASE)
_SIMILAR = re.compile(r'<similar_experience id="([^"]+)"[^<>]*>(.*?)</similar_experience>', re.DOTALL)
_TRIED = re.compile(r"^TRIED (.+): Spearman (-?\d+\.\d+) on", re.MULTILINE)
_RETRIEVE = """\
queries = {queries}
read = []
for query in queries:
    for line in str(memory_retrieval(query=query)).splitlines():
        if ("rank(" in line or "Best: " in line) and line not in read:
            read.append(line)
            print(line[:2000])
print(len(read), "lines on formulas found")"""
_TRY = """\
formulas = {formulas}
for formula in formulas:
    print("TRIED " + formula + ": " + str(try_formula(formula=formula)))"""


def is_about_assay(messages: Messages) -> bool:
    """Whether it is about an assay: the question is, or the experience that an updater has to place."""
    said = first_prompt(messages)
    fresh = NEW_EXPERIENCE.search(said)
    return bool(recalled(fresh[1])) if fresh else assay_in(said) is not None


def act_in_chat(messages: Messages, model: str) -> str:
    """A formula: at first the best that is known from experience, then one that was not tried in this conversation."""
    assay = _asked(messages)
    memories = recalled(before_question(first_prompt(messages)))
    tried, known = of_assay(memories, assay), elsewhere(memories, assay)[:TRIES]
    own = measured(messages)
    best = best_of(tried)
    if not own and best:
        formula, why = best, "It is the best that experience tells of this assay."
    else:
        formula = climb(assay.columns, tried | own, known, assay.id)
        why = "It is known from another assay." if formula in known else _why(len(own), best_of(tried | own))
    return f"{WHO} {why}\n<answer>{formula}</answer>"


def _why(rounds: int, best: str | None) -> str:
    if best is None:
        return "No score is known to me, so this is a guess."
    return f"After {rounds} formula{'s' if rounds > 1 else ''} I change what I know, the best being {best}."


def act_as_agent(messages: Messages, model: str) -> str:
    """A step of a code agent: ask the library, try what it tells of, hand in the best.

    The tool tries only what was read, else a single guess: a search by tools would leave nothing for experience to do.
    """
    assay = _asked(messages)
    system, task = "\n".join(texts(messages, "system", "developer")), first_prompt(messages)
    steps = len(texts(messages, "assistant"))
    if not steps and ("memory_retrieval" in system or "memory_retrieval(" in task):
        return step(system, f"{WHO} I ask the library for formulas.", _RETRIEVE.format(queries=_queries(assay)))
    formulas = _worth_trying(messages, assay)
    scores = {f: float(score) for text in prompts(messages) for f, score in _TRIED.findall(text)}
    if "try_formula" in system and not scores and steps < 2:
        return step(system, f"{WHO} I try {len(formulas)} formulas.", _TRY.format(formulas=json.dumps(formulas)))
    best = best_of(scores) or formulas[0]
    return step(system, f"{WHO} This is the best I know.", f"final_answer({f'<answer>{best}</answer>'!r})")


def _queries(assay: Assay) -> str:
    """The assay by name, then its kind: each retrieval shows a few entries only."""
    columns = ", ".join(assay.columns)
    kind = f"Formula for selection by {assay.selection or 'fitness'}, with the columns {columns}"
    return json.dumps([f"Assay: {assay.id}", kind], indent=4)


def _worth_trying(messages: Messages, assay: Assay) -> list[str]:
    """The best formulas of this assay, then those of others; without any a guess."""
    read = [before_question(first_prompt(messages)), *prompts(messages)[1:]]
    memories = recalled("\n".join(read))
    here = of_assay(memories, assay)
    best = best_of(here)
    own = [best] if best else []
    own += [m.formula for m in sorted(memories, key=lambda m: -m.score) if m.formula in here and m.score > 0]
    found = list(dict.fromkeys([*own[: TRIES - 1], *elsewhere(memories, assay)]))[:TRIES]
    return found or [climb(assay.columns, {}, (), assay.id)]


def judge(messages: Messages, model: str) -> str:
    """No verdict on looks: what a formula is worth is measured."""
    return f"{WHO} I cannot tell by its looks how well a formula ranks.\n<next_step>continue</next_step>"


def update(messages: Messages, model: str) -> str:
    """Keep one entry for each assay, and one for assays with the same best formula."""
    prompt = first_prompt(messages)
    fresh = NEW_EXPERIENCE.search(prompt)
    text = fresh[1] if fresh else ""
    new, rules = _best(recalled(text)), [*range(1, 1 + len(_RULE.findall(text)))]
    shown = [(name, recalled(entry)) for name, entry in _SIMILAR.findall(prompt)]
    for name, entry in shown:
        if same := [scored for scored in entry if scored.assay == new.assay]:
            if new.score <= _best(same).score:
                return decision("discard", name, reason="the entry knows a formula that is as good", how=_HOW)
            return decision("merge", name, rules, "new", "a better formula for the same assay", how=_HOW)
    for name, entry in shown:
        if entry and _best(entry).formula == new.formula:
            return decision("merge", name, rules, reason="the same formula is best for another assay", how=_HOW)
    return decision("insert", reason="no entry shown is about this assay or has its best formula", how=_HOW)


def _best(scored: Sequence[Scored]) -> Scored:
    return max(scored, key=lambda each: each.score)


def _asked(messages: Messages) -> Assay:
    assay = assay_in(first_prompt(messages))
    assert assay is not None, "see `is_about_assay`"
    return assay
