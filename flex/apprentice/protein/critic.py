"""The critic on an assay: the best formula with its score, which columns helped and which did not."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flex.apprentice.critic import experience_reply, nothing_learned
from flex.apprentice.protein.hill_climbing import both_ways
from flex.apprentice.protein.formulas import columns_of, terms_of, written
from flex.apprentice.protein.prompts import Assay, assay_in, score_in
from flex.apprentice.text import Messages, first_prompt, rounds_in, section

TOLD = 20
"""Formulas that an experience shows of those that were no improvement."""
ALTERNATIVES = 4
"""Formulas beside the best one that its rule gives as examples."""
MOST_HELPED, MOST_USELESS = 5, 3
"""Columns that an experience has a rule on."""
ROOM = 2000
"""Characters of one list of formulas."""
CHARACTERS = 14_000
"""Of a whole experience; an entry may have 16,000 of the library, merged rules included."""
MATTERS = 0.005
"""A change of the score that is worth a rule."""

Rules = list[dict[str, Any]]


def distill(messages: Messages, model: str) -> str:
    """An experience, in the form that the critic's prompts ask for."""
    prompt = first_prompt(messages)
    assay = assay_in(prompt)
    assert assay is not None, "the role is chosen by it"
    scores = _scores(rounds_in(prompt))
    experience = (
        _experience(assay, scores)
        if scores
        else nothing_learned("no formula was measured", f" of {assay.id}", "No formula has a score.")
    )
    rules = experience["rules"]
    while len(rules) > 1 and len(json.dumps(experience)) > CHARACTERS:  # long names of columns
        rules.pop()
    return experience_reply(experience)


def _scores(rounds: Sequence[str]) -> dict[str, float]:
    """By formula, in the order of the rounds."""
    found = ((section(text, "answer") or "", score_in(section(text, "feedback") or "")) for text in rounds)
    return {written(terms_of(formula)): score for formula, score in found if score is not None and columns_of(formula)}


def _experience(assay: Assay, scores: Mapping[str, float]) -> dict[str, Any]:
    turned = both_ways(scores)
    best = max(turned, key=lambda formula: (turned[formula], formula))
    names = " and ".join(f'"{column}"' for column in columns_of(best) or ())
    ranked = sorted(scores, key=lambda formula: -scores[formula])
    return {
        "problem_category": f"protein fitness: {assay.selection or 'selection not told'}, assay {assay.id}",
        "method": f"Best: {best} with {turned[best]:.4f} ({assay.id}). For this assay, and for others with these "
        "columns, begin with this formula. Then change one weight or one column at a time, and keep what scores "
        "higher.",
        "rules": [
            _rule(
                f"When the table has {names}, begin with the first formula below, because of all that "
                "were tried it ranked the labelled mutants best.",
                _told(assay, [best, *(f for f in ranked if f != best)][: 1 + ALTERNATIVES], turned),
            ),
            *_on_columns(assay, scores, best),
        ],
        "revised_trajectory": _course(assay, scores),
        "priority": 3 if turned[best] > 0 else 1,
    }


def _on_columns(assay: Assay, scores: Mapping[str, float], best: str) -> Rules:
    """What each column did alone, and what it did to others."""
    alone = [f for f in scores if len(terms_of(f)) == 1]
    alone.sort(key=lambda formula: -abs(scores[formula]))
    rules = []
    if len(alone) > 1:
        text = (
            "When no formula for the assay is known, try the columns alone, and turn the sign where a score is below 0."
        )
        rules.append(_rule(text, _told(assay, alone[:TOLD], scores)))
    gains = _gains(scores)
    helped = sorted((term for term in gains if gains[term][0] >= MATTERS), key=lambda term: -gains[term][0])
    kept = terms_of(best)
    useless = sorted(
        (term for term in gains if gains[term][0] < MATTERS and term not in kept), key=lambda t: gains[t][0]
    )
    for term in helped[:MOST_HELPED]:
        _, without, added = gains[term]
        verb, preposition = ("add", "to") if terms_of(added)[term] > 0 else ("subtract", "from")
        text = f"When a formula lacks {term}, {verb} it {preposition} a sum of ranks, because that raised the score."
        rules.append(_rule(text, _told(assay, [without, added], scores)))
    for term in useless[:MOST_USELESS]:
        _, without, added = gains[term]
        text = f"When a formula ranks well already, leave {term} out, because with it the score was no higher."
        rules.append(_rule(text, _told(assay, [without, added], scores)))
    return rules


def _gains(scores: Mapping[str, float]) -> dict[str, tuple[float, str, str]]:
    """By term the most that it added to the score of a formula: gain, the formula without it, the formula with it."""
    gains: dict[str, tuple[float, str, str]] = {}
    for added in scores:
        terms = terms_of(added)
        for term in terms if len(terms) > 1 else ():
            without = written({other: weight for other, weight in terms.items() if other != term})
            if without in scores:
                gain = scores[added] - scores[without]
                gains[term] = max(gains.get(term, (gain, without, added)), (gain, without, added))
    return gains


def _course(assay: Assay, scores: Mapping[str, float]) -> str:
    """The steps upwards, then what was tried in vain, best first."""
    steps: list[str] = []
    for formula in scores:
        if scores[formula] > max((scores[step] for step in steps), default=0.0):
            steps.append(formula)
    vain = sorted((f for f in scores if f not in steps), key=lambda formula: -scores[formula])[:TOLD]
    told = [
        f"Steps upwards, of {len(scores)} formulas:",
        *_told(assay, steps, scores),
        "<comments>What scored higher than all before it was kept, and the next formula differed from it in one "
        "column or weight.</comments>",
    ]
    return "\n".join(told + (["In vain:", *_told(assay, vain, scores)] if vain else []))


def _told(assay: Assay, formulas: Sequence[str], scores: Mapping[str, float]) -> list[str]:
    """As a list of one line, which `recalled` reads."""
    said = [f"{formula}, {scores[formula]:.4f}" for formula in formulas]
    while len(said) > 1 and sum(map(len, said)) > ROOM:
        said.pop()
    return [f"{assay.id}: {'; '.join(said)}"] if said else []


def _rule(text: str, examples: Sequence[str]) -> dict[str, Any]:
    return {"rule": text, "examples": list(examples)}
