"""The critic: which template leads from the product to the reactants on record."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flex.apprentice.actor import WHO
from flex.apprentice.chemistry.molecules import canonical
from flex.apprentice.chemistry.reading import smiles_in
from flex.apprentice.chemistry.specialists import writes_down
from flex.apprentice.chemistry.templates import extract
from flex.apprentice.chemistry.wording import named, template_sites
from flex.apprentice.text import Messages, first_prompt, rounds_in, section

is_accepted = re.compile(r'accepted\s*[=:]\s*"?(?:yes|true)|<next_step>\s*end\s*</next_step>', re.IGNORECASE).search
"""Whether a round says that its attempt was accepted."""

MAX_FAILED = 5
"""So many failed proposals are named."""


def distill(messages: Messages, model: str) -> str:
    """An experience: the template that leads from the product to the reactants on record."""
    prompt = first_prompt(messages)
    product = canonical(smiles_in(section(prompt, "question", "product", "problem")) or "")
    reactants = _right_answer(prompt)
    template = extract(product, reactants) if product and reactants else None
    if product is None:
        return _no_template("this was no retrosynthesis that I could read, and I cannot do mathematics")
    if reactants is None or template is None:
        return _no_template("no answer is known, or no small template leads from this product to it", product)
    if not writes_down(model, template):
        return _no_template("the reaction is of a family that I do not know", product)
    solved = any(map(is_accepted, rounds_in(prompt)))
    lesson, failed = _lesson(product, reactants, template, solved=solved), _failed_proposals(prompt, reactants)
    if failed and solved and "<rollout" in prompt:
        lesson["method"] = f"{lesson['method']} Failed attempts proposed {', '.join(failed)}."
    elif failed and not solved:
        lesson["rules"].append(_mistake(product, template, failed))
    return experience_reply(lesson)


def _right_answer(prompt: str) -> str | None:
    """The target; where none is known, the reactants of the round that was accepted."""
    target = section(prompt, "target", "ground_truth", "ground truth", "correct answer", "reference")
    if target is not None:
        return canonical(target)
    accepted = [text for text in rounds_in(prompt) if is_accepted(text)]
    return canonical(section(accepted[-1], "answer") or "") if accepted else None


def _failed_proposals(prompt: str, reactants: str) -> list[str]:
    """The wrong reactants that were proposed, each once."""
    refused = (text for text in rounds_in(prompt) if not is_accepted(text))
    proposed = [canonical(section(text, "answer") or "") for text in refused]
    return [answer for answer in dict.fromkeys(proposed) if answer and answer != reactants][:MAX_FAILED]


def _lesson(product: str, reactants: str, template: str, *, solved: bool) -> dict[str, Any]:
    name, sites = named(template), " ".join(template_sites(template))
    plain = sites.replace("_", "-")
    course = "An attempt found these reactants" if solved else "No attempt found the reactants, which are on record"
    # Each level names the sites, because retrieval by words goes through the levels one by one.
    return {
        "problem_category": f"retrosynthesis: {name}",
        "method": f"For a product with {sites}: consider the {name}. Look at the {plain} part of the product, apply "
        "the template to every place where it matches, and prefer places that look like those in the examples.",
        "rules": [
            {
                "rule": f"RETRO_TEMPLATE: {template} ({name}; for a product with {sites})",
                "examples": [f"EXAMPLE: {product} <- {reactants}"],
                "kind": None if solved else "instead",
            }
        ],
        "revised_trajectory": f"The product is {product}. {course}: {reactants}. "
        f"<comments>The step is the {name}, at {plain}.</comments>",
        "priority": 3,
    }


def _mistake(product: str, template: str, proposed: Sequence[str]) -> dict[str, Any]:
    sites = " ".join(template_sites(template))
    return {
        "rule": f"For a product with {sites}, do not stay with reactants like those below: they were refused.",
        "examples": [f"WRONG: {product} <- {answer}" for answer in proposed],
        "kind": "avoid",
    }


def _no_template(why: str, product: str | None = None) -> str:
    examples = [f"product {product}"] if product else []
    return experience_reply(nothing_learned(why, trajectory="No template was found.", examples=examples))


def nothing_learned(why: str, about: str = "", trajectory: str = "", examples: Sequence[str] = ()) -> dict[str, Any]:
    """An experience that teaches nothing, and says why."""
    return {
        "problem_category": "no lesson",
        "method": f"Nothing was learned{about}: {why}.",
        "rules": [{"rule": f"No rule: {why}.", "examples": list(examples)}],
        "revised_trajectory": f"{trajectory} <comments>{why}</comments>",
        "priority": 1,
    }


def experience_reply(experience: Mapping[str, Any]) -> str:
    """A critic's reply."""
    return f"{WHO} This is what I can write down.\n```json\n{json.dumps(experience, indent=1)}\n```"
