"""The actor: applies every template it finds written in its prompt, and ranks what they propose."""

import json

from flex.apprentice.chemistry.molecules import canonical
from flex.apprentice.chemistry.ranking import Candidate, Lesson, propose
from flex.apprentice.chemistry.reading import lessons_in, smiles_in
from flex.apprentice.chemistry.specialists import prior
from flex.apprentice.chemistry.wording import named, product_sites
from flex.apprentice.text import Messages, answers_in, first_prompt, prompts, section, texts

WHO = "I am a mechanical apprentice, not an LLM."
"""Every reply says so."""
NO_MATHEMATICS = f"{WHO} I cannot do mathematics, so this attempt gives no answer."
MAX_QUERIES = 20

_RETRIEVE = """\
queries = {queries}
lessons = {{}}
for query in queries:
    rule, avoided = "", False
    for line in str(memory_retrieval(query=query)).splitlines():
        if line.startswith("<") or line.startswith("Avoid:") or line.startswith("Right instead:"):
            rule, avoided = "", line.startswith("Avoid:")
        elif avoided:
            continue
        elif "RETRO_TEMPLATE:" in line:
            rule = line[line.index("RETRO_TEMPLATE:"):].strip()
            if rule not in lessons:
                lessons[rule] = []
        elif rule and "EXAMPLE:" in line and line.strip() not in lessons[rule]:
            lessons[rule].append(line.strip())
print(len(lessons), "templates found")
for rule in lessons:
    print(rule)
    for example in lessons[rule]:
        print(example)"""


def act_in_chat(messages: Messages, model: str) -> str:
    """An attempt in one reply; after feedback the best reactants that were not tried yet."""
    product = _product(messages)
    if product is None:
        return NO_MATHEMATICS
    candidate = _next_best(messages, model, product)
    if candidate is None:
        return f"{WHO} {_why_no_proposal(messages, model)}"
    return f"{WHO} {_explanation(candidate)}\n<answer>{candidate.reactants}</answer>"


def act_as_agent(messages: Messages, model: str) -> str:
    """A step of a code agent: first ask the library, then hand in what its templates propose."""
    system = "\n".join(texts(messages, "system", "developer"))
    product = _product(messages)
    if product is None:
        return step(system, NO_MATHEMATICS, f"final_answer({json.dumps('nothing: ' + NO_MATHEMATICS)})")
    offered = "memory_retrieval" in system or "memory_retrieval(" in first_prompt(messages)
    if offered and not texts(messages, "assistant"):
        return step(system, f"{WHO} I ask the library for templates.", _RETRIEVE.format(queries=_queries(product)))
    candidate = _next_best(messages, model, product)
    if candidate is None:
        reason = f"nothing: {_why_no_proposal(messages, model)}"
        return step(system, f"{WHO} I have to give up.", f"final_answer({json.dumps(reason)})")
    # repr, because a SMILES may hold backslashes
    return step(
        system, f"{WHO} {_explanation(candidate)}", f"final_answer({f'<answer>{candidate.reactants}</answer>'!r})"
    )


def _queries(product: str) -> str:
    """The product, then every kind of bond in it: each retrieval shows a few entries only."""
    sites = [f"How is {site} made? Product with {site}" for site in product_sites(product)]
    return json.dumps([f"Product {product}", *sites][: MAX_QUERIES + 1], indent=4)


def step(system: str, thought: str, code: str) -> str:
    """An agent's reply: a thought, and code between the marks that the system prompt wants."""
    start, end = ("<code>", "</code>") if "<code>" in system else ("```python", "```")
    return f"Thought: {thought}\n{start}\n{code}\n{end}"


def _product(messages: Messages) -> str | None:
    task = first_prompt(messages)
    named_so = section(task, "question", "product", "task", "target molecule")
    return canonical(smiles_in(named_so) or smiles_in(task) or "")


def _lessons(messages: Messages, model: str) -> list[Lesson]:
    known = [Lesson(template, name=named(template)) for template in prior(model)]
    return [*lessons_in([*texts(messages, "system", "developer"), *prompts(messages)]), *known]


def _next_best(messages: Messages, model: str, product: str) -> Candidate | None:
    tried = {canonical(answer.strip()) for reply in texts(messages, "assistant") for answer in answers_in(reply)}
    ranked = propose(product, _lessons(messages, model))
    return next((candidate for candidate in ranked if candidate.reactants not in tried), None)


def _explanation(candidate: Candidate) -> str:
    lesson = candidate.lesson
    seen = len(lesson.precedents)
    name = lesson.name or named(lesson.template)
    return f"The template of {name}, seen in {seen} example{'' if seen == 1 else 's'}, leads to these reactants."


def _why_no_proposal(messages: Messages, model: str) -> str:
    if not _lessons(messages, model):
        return "I know no template, so I give no reactants."
    return "The templates I know propose nothing for this product that I have not tried."
