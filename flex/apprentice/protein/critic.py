"""The critic on an assay: the best formula with its score, which columns helped and which did not."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flex.apprentice.critic import experience_reply, is_accepted, nothing_learned
from flex.apprentice.protein.formulas import columns_of, formula_of, normalized, terms_of
from flex.apprentice.protein.hill_climbing import with_reversed
from flex.apprentice.protein.prompts import Assay, assay_in, score_in
from flex.apprentice.text import Messages, first_prompt, rounds_in, section

MAX_LISTED = 20
"""Formulas without improvement that an experience lists."""
ALTERNATIVES = 4
"""Formulas beside the best one that its rule gives as examples."""
MAX_HELPFUL, MAX_USELESS = 5, 3
"""Columns that an experience has a rule on."""
MAX_LIST_CHARACTERS = 2000
MAX_CHARACTERS = 14_000
"""Of a whole experience; the library allows an entry 16,000, merged rules included."""
MIN_GAIN = 0.005
"""A change of the score that is worth a rule."""

Rules = list[dict[str, Any]]


def distill(messages: Messages, model: str) -> str:
    """An experience, in the form that the critic's prompts ask for."""
    prompt = first_prompt(messages)
    assay = assay_in(prompt)
    assert assay is not None, "the role is chosen by it"
    scores = _scores(rounds_in(prompt))
    if not scores:
        about = f" of {assay.id}"
        return experience_reply(nothing_learned("no formula was measured", about, "No formula has a score."))
    experience = _experience(assay, scores)
    rules = experience["rules"]
    while len(rules) > 1 and len(json.dumps(experience)) > MAX_CHARACTERS:  # long names of columns
        rules.pop()
    if not any(map(is_accepted, rounds_in(prompt))):
        for rule in rules:
            rule["kind"] = "instead"  # it was measured, though nothing was good enough
    return experience_reply(experience)


def _scores(rounds: Sequence[str]) -> dict[str, float]:
    """By formula, in the order of the rounds."""
    found = ((section(text, "answer") or "", score_in(section(text, "feedback") or "")) for text in rounds)
    return {normalized(formula): score for formula, score in found if score is not None and columns_of(formula)}


def _experience(assay: Assay, scores: Mapping[str, float]) -> dict[str, Any]:
    known = with_reversed(scores)
    best = max(known, key=lambda formula: (known[formula], formula))
    names = " and ".join(f'"{column}"' for column in columns_of(best) or ())
    others = [formula for formula in _best_first(scores) if formula != best]
    return {
        "problem_category": f"protein fitness: {assay.selection or 'selection not told'}, assay {assay.id}",
        "method": f"Best: {best} with {known[best]:.4f} ({assay.id}). For this assay, and for others with these "
        "columns, begin with this formula. Then change one weight or one column at a time, and keep what scores "
        "higher.",
        "rules": [
            {
                "rule": f"When the table has {names}, begin with the first formula below, because of all that "
                "were tried it ranked the labelled mutants best.",
                "examples": _listed(assay, [best, *others[:ALTERNATIVES]], known),
            },
            *_on_single_columns(assay, scores),
            *_on_added_columns(assay, scores, best),
        ],
        "revised_trajectory": _trajectory(assay, scores),
        "priority": 3 if known[best] > 0 else 1,
    }


def _on_single_columns(assay: Assay, scores: Mapping[str, float]) -> Rules:
    """What each column scored alone."""
    alone = sorted((f for f in scores if len(terms_of(f)) == 1), key=lambda formula: -abs(scores[formula]))
    if len(alone) < 2:
        return []
    text = "When no formula for the assay is known, try the columns alone, and turn the sign where a score is below 0."
    return [{"rule": text, "examples": _listed(assay, alone[:MAX_LISTED], scores)}]


def _on_added_columns(assay: Assay, scores: Mapping[str, float], best: str) -> Rules:
    """Which columns raised the score of a formula they were added to, and which did not."""
    gains, kept = _gains(scores), terms_of(best)
    helpful = sorted((term for term in gains if gains[term][0] >= MIN_GAIN), key=lambda term: -gains[term][0])
    others = (term for term in gains if gains[term][0] < MIN_GAIN and term not in kept)
    useless = sorted(others, key=lambda term: gains[term][0])
    rules = []
    for term in [*helpful[:MAX_HELPFUL], *useless[:MAX_USELESS]]:
        gain, without, added = gains[term]
        verb, preposition = ("add", "to") if terms_of(added)[term] > 0 else ("subtract", "from")
        text = f"When a formula lacks {term}, {verb} it {preposition} a sum of ranks, because that raised the score."
        if gain < MIN_GAIN:
            text = f"When a formula ranks well already, leave {term} out, because with it the score was no higher."
        rules.append({"rule": text, "examples": _listed(assay, [without, added], scores)})
    return rules


def _gains(scores: Mapping[str, float]) -> dict[str, tuple[float, str, str]]:
    """By term the most that it added to the score of a formula: gain, the formula without it, the formula with it."""
    gains: dict[str, tuple[float, str, str]] = {}
    for added in scores:
        terms = terms_of(added)
        for term in terms if len(terms) > 1 else ():
            without = formula_of({other: weight for other, weight in terms.items() if other != term})
            if without in scores:
                gain = scores[added] - scores[without]
                gains[term] = max(gains.get(term, (gain, without, added)), (gain, without, added))
    return gains


def _trajectory(assay: Assay, scores: Mapping[str, float]) -> str:
    """The formulas that raised the score, in order, then the others, best first."""
    steps: list[str] = []
    for formula in scores:
        if scores[formula] > max((scores[step] for step in steps), default=0.0):
            steps.append(formula)
    lines = [
        f"Steps upwards, of {len(scores)} formulas:",
        *_listed(assay, steps, scores),
        "<comments>What scored higher than all before it was kept, and the next formula differed from it in one "
        "column or weight.</comments>",
    ]
    if others := [formula for formula in _best_first(scores) if formula not in steps]:
        lines += ["In vain:", *_listed(assay, others[:MAX_LISTED], scores)]
    return "\n".join(lines)


def _best_first(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda formula: -scores[formula])


def _listed(assay: Assay, formulas: Sequence[str], scores: Mapping[str, float]) -> list[str]:
    """As one line, which `formulas_in` reads; none where there are no formulas."""
    scored = [f"{formula}, {scores[formula]:.4f}" for formula in formulas]
    while len(scored) > 1 and sum(map(len, scored)) > MAX_LIST_CHARACTERS:
        scored.pop()
    return [f"{assay.id}: {'; '.join(scored)}"] if scored else []
