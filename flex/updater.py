"""The updater mu: what to do with a new experience, decided against the similar ones only."""

from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from flex.contract import ask, fitted, user
from flex.errors import ParseError
from flex.explib import ExpLib
from flex.prompt import Prompts
from flex.telemetry import span
from flex.types import TOP_K, Experience, Model, Rule, UpdateDecision

RULES_SHOWN = 12
"""Rules of an existing entry that the updater sees; with `CHARACTERS_SHOWN` this bounds its prompt."""
CHARACTERS_SHOWN = 1200
"""Characters of a method, rule or trajectory of an existing entry that the updater sees."""


class Updater:
    """Decides insert, merge or discard; the prompt holds `similar` entries, however large the library is."""

    def __init__(self, model: Model, prompts: Prompts, similar: int = TOP_K) -> None:
        self.model = model
        self.prompts = prompts
        self.similar = similar

    async def decide(self, experience: Experience, library: ExpLib) -> UpdateDecision:
        """The decision on a new experience (paper, 3.2); changes nothing. Raises ParseError.

        Costs no call when an identical entry exists (discard) or none is similar (insert).
        """
        if (twin := library.identical(experience)) is not None:
            return UpdateDecision("discard", twin, reason="an entry with the same content exists")
        similar = [library.get(hit.experience_id) for hit in library.search(search_text(experience), self.similar)]
        if not similar:
            return UpdateDecision("insert", reason="nothing similar exists")
        prompt = self.prompts.render("updater", experience=experience, similar=[clipped(e) for e in similar])

        def parse(text: str) -> UpdateDecision:
            return parse_decision(text, {e.id for e in similar}, len(experience.rules))

        with span("updater", "CHAIN", input=experience.method) as recorded:
            decision = await ask(self.model, [user(prompt)], parse, self.prompts)
            recorded.set(output=f"{decision.action} {decision.target or ''}: {decision.reason}")
        return decision


def search_text(experience: Experience) -> str:
    """What the similar entries are searched by: the general levels, not the concrete case."""
    return "\n".join([experience.problem_category, experience.method, *(rule.rule for rule in experience.rules)])


def clipped(experience: Experience) -> Experience:
    """An entry as the updater sees it: some published ones have 144 rules."""
    rules = [Rule(_clip(r.rule), tuple(_clip(e) for e in r.examples[:1])) for r in experience.rules[:RULES_SHOWN]]
    return Experience(
        id=experience.id,
        method=_clip(experience.method),
        rules=tuple(rules),
        revised_trajectory=_clip(experience.revised_trajectory),
        zone=experience.zone,
        problem_category=experience.problem_category,
        priority=experience.priority,
    )


def _clip(text: str) -> str:
    return text if len(text) <= CHARACTERS_SHOWN else text[:CHARACTERS_SHOWN] + " [...]"


class _Reply(BaseModel):
    action: Literal["insert", "merge", "discard"]
    target: str | None = None
    novel_rules: list[int] = Field(default_factory=list)
    trajectory: Literal["existing", "new"] = "existing"
    reason: str = ""

    @field_validator("action", "trajectory", mode="before")
    @classmethod
    def _may_be_written_large(cls, value: Any) -> Any:
        return value.lower().strip() if isinstance(value, str) else value


def parse_decision(text: str, ids: set[str], rules: int) -> UpdateDecision:
    """The decision in an updater's reply; rule numbers count from 1 in prompts, from 0 in a decision.

    Raises ParseError when it names an entry it was not shown or a rule that does not exist.
    """
    reply = fitted(_Reply, text)
    if reply.action == "insert":
        return UpdateDecision("insert", reason=reply.reason)
    if reply.target not in ids:
        raise ParseError(f"'{reply.action}' needs as target the id of an entry shown: {', '.join(sorted(ids))}")
    if reply.action == "discard":
        return UpdateDecision("discard", reply.target, reason=reply.reason)
    if wrong := [n for n in reply.novel_rules if not 1 <= n <= rules]:
        raise ParseError(f"novel_rules are numbers of the new experience's rules, 1 to {rules}, not {wrong}")
    novel = tuple(dict.fromkeys(n - 1 for n in reply.novel_rules))
    return UpdateDecision("merge", reply.target, novel, reply.trajectory, reply.reason)
