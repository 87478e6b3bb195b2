"""The verifier: are these the reactants on record, and if not, what is wrong with them."""

from flex.apprentice.actor import WHO
from flex.apprentice.chemistry.mapping import map_reaction
from flex.apprentice.chemistry.molecules import canonical, molecule
from flex.apprentice.chemistry.reading import smiles_in
from flex.apprentice.text import Messages, first_prompt, section


def judge(messages: Messages, model: str) -> str:
    """Feedback on an attempt, ending in the next step; it never shows the target."""
    prompt = first_prompt(messages)
    feedback, accepted = _judgement(
        section(prompt, "question", "product", "problem"),
        section(prompt, "target", "ground_truth", "ground truth", "correct answer", "reference"),
        section(prompt, "answer", "extracted answer", "final answer"),
    )
    return f"{WHO} {feedback}\n<next_step>{'end' if accepted else 'continue'}</next_step>"


def _judgement(question: str | None, target: str | None, answer: str | None) -> tuple[str, bool]:
    if not answer or answer.startswith("(no "):
        return "The attempt gives no answer in the required form.", False
    product = molecule(smiles_in(question) or "")
    if product is None:
        same = target is not None and answer.strip() == target.strip()
        return ("The answer agrees.", True) if same else ("I cannot do mathematics and cannot confirm this.", False)
    given = molecule(answer.strip())
    if given is None:
        return "What was given as reactants is not valid SMILES.", False
    if target is not None and canonical(answer.strip()) == canonical(target.strip()):
        return "The reactants supply every atom of the product and fit the reaction.", True
    if map_reaction(product, given) is None:
        return "These reactants do not supply the product: its atoms cannot be found in them.", False
    if target is None:
        return "The reactants supply every atom of the product.", True
    return "These reactants could supply the product, but another last step is meant: try another one.", False
