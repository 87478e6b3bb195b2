"""The roles on assays: the actor improves formulas by hill climbing, the updater compares them by their scores.

Nothing is known of any column beforehand. All that the actor learns it reads: scores in the feedback on its answers,
and formulas with scores in retrieved experience.
"""

import json
import re
from collections.abc import Sequence

from flex.apprentice.actor import WHO, step
from flex.apprentice.protein.formulas import Scored
from flex.apprentice.protein.hill_climbing import best_of, next_formula
from flex.apprentice.protein.prompts import (
    Assay,
    assay_in,
    experience_before,
    formulas_elsewhere,
    formulas_in,
    scores_for,
    scores_in,
)
from flex.apprentice.text import Messages, first_prompt, prompts, texts
from flex.apprentice.updater import NEW_EXPERIENCE, decision

TRIES = 5
"""Formulas from experience that are tried before anything else."""

_HOW = "formulas and their scores"
_RULE = re.compile(r"<rule\b[^<>]*>", re.IGNORECASE)
_SIMILAR = re.compile(r'<similar_experience id="([^"]+)"[^<>]*>(.*?)</similar_experience>', re.DOTALL)
_TRIED = re.compile(r"^TRIED (.+): Spearman (-?\d+\.\d+) on", re.MULTILINE)
_RETRIEVE = """\
queries = {queries}
read = []
for query in queries:
    avoided = False
    for line in str(memory_retrieval(query=query)).splitlines():
        if line.startswith("<") or line.startswith("Avoid:") or line.startswith("Right instead:"):
            avoided = line.startswith("Avoid:")
        elif not avoided and ("rank(" in line or "Best: " in line) and line not in read:
            read.append(line)
            print(line[:2000])
print(len(read), "lines on formulas found")"""
_TRY = """\
formulas = {formulas}
for formula in formulas:
    print("TRIED " + formula + ": " + str(try_formula(formula=formula)))"""


def is_about_assay(messages: Messages) -> bool:
    """Whether the question is about an assay, or the experience that an updater has to place."""
    prompt = first_prompt(messages)
    new = NEW_EXPERIENCE.search(prompt)
    return bool(formulas_in(new[1])) if new else assay_in(prompt) is not None


def act_in_chat(messages: Messages, model: str) -> str:
    """A formula: first the best one in the experience on this assay, then one not tried yet."""
    assay = _assay(messages)
    known = formulas_in(experience_before(first_prompt(messages)))
    remembered, elsewhere = scores_for(assay, known), formulas_elsewhere(assay, known)[:TRIES]
    answered = scores_in(messages)
    best = best_of(remembered)
    if not answered and best:
        formula, why = best, "It is the best that experience tells of this assay."
    else:
        tried = remembered | answered
        formula = next_formula(assay.columns, tried, elsewhere, assay.id)
        why = "It is known from another assay." if formula in elsewhere else _why(len(answered), best_of(tried))
    return f"{WHO} {why}\n<answer>{formula}</answer>"


def _why(rounds: int, best: str | None) -> str:
    if best is None:
        return "No score is known to me, so this is a guess."
    return f"After {rounds} formula{'s' if rounds > 1 else ''} I change what I know, the best being {best}."


def act_as_agent(messages: Messages, model: str) -> str:
    """A step of a code agent: search the library, try the formulas found there, hand in the best.

    Without any it tries a single guess: a search with the tool would leave nothing for experience to do.
    """
    assay = _assay(messages)
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
    known = formulas_in("\n".join([experience_before(first_prompt(messages)), *prompts(messages)[1:]]))
    scores = scores_for(assay, known)
    best = best_of(scores)
    own = [best] if best else []
    own += [m.formula for m in sorted(known, key=lambda m: -m.score) if m.formula in scores and m.score > 0]
    found = list(dict.fromkeys([*own[: TRIES - 1], *formulas_elsewhere(assay, known)]))[:TRIES]
    return found or [next_formula(assay.columns, {}, (), assay.id)]


def judge(messages: Messages, model: str) -> str:
    """No verdict on looks: what a formula is worth is measured."""
    return f"{WHO} I cannot tell by its looks how well a formula ranks.\n<next_step>continue</next_step>"


def update(messages: Messages, model: str) -> str:
    """Keep one entry for each assay, and one for assays with the same best formula."""
    prompt = first_prompt(messages)
    experience = NEW_EXPERIENCE.search(prompt)
    text = experience[1] if experience else ""
    new, rules = _best(formulas_in(text)), [*range(1, 1 + len(_RULE.findall(text)))]
    entries = [(id, formulas_in(entry)) for id, entry in _SIMILAR.findall(prompt)]
    for id, known in entries:
        if same := [scored for scored in known if scored.assay == new.assay]:
            if new.score <= _best(same).score:
                return decision("discard", id, reason="the entry knows a formula that is as good", how=_HOW)
            return decision("merge", id, rules, "new", "a better formula for the same assay", how=_HOW)
    for id, known in entries:
        if known and _best(known).formula == new.formula:
            return decision("merge", id, rules, reason="the same formula is best for another assay", how=_HOW)
    return decision("insert", reason="no entry shown is about this assay or has its best formula", how=_HOW)


def _best(scored: Sequence[Scored]) -> Scored:
    return max(scored, key=lambda each: each.score)


def _assay(messages: Messages) -> Assay:
    assay = assay_in(first_prompt(messages))
    assert assay is not None, "see `is_about_assay`"
    return assay
