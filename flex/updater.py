"""The updater mu: what to do with a new experience, decided against the similar ones only (paper, 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from flex.errors import ParseError
from flex.explib import ExpLib
from flex.library.merging import MAX_CHARACTERS, MAX_RULES, merge, over_caps
from flex.prompt import Prompts
from flex.replies import ask, parse_experience, parse_json_as, user
from flex.telemetry import span
from flex.types import TOP_K, Experience, Model, Rule, UpdateDecision

RULES_SHOWN = 12
"""Rules of an existing entry that the updater sees; with `CHARACTERS_SHOWN` this bounds its prompt."""
CHARACTERS_SHOWN = 1200
"""Characters of a method, rule or trajectory of an existing entry that the updater sees."""
RULES_CONSOLIDATED = 160
"""Rules of an entry that its consolidation sees; the largest published entry has 144."""
ROOM_CONSOLIDATED = 34_000
"""Characters of an entry in that prompt, with which it stays below 40,000; two entries within the caps fit."""
METHOD_CONSOLIDATED, TEXTS_CONSOLIDATED, EXAMPLE_CONSOLIDATED = 2_500, 26_500, 600
"""Of these at most for the method, for the rules without examples, for one example; the trajectory gets the rest."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the updater asks a model about an experience; equal questions may share an answer."""

    experience: Experience
    similar: tuple[Experience, ...]
    """In full, best match first; the prompt shows them shortened."""
    prompt: str


class Updater:
    """Decides insert, merge or discard; the prompt holds `similar` entries, however large the library is."""

    def __init__(self, model: Model, prompts: Prompts, similar: int = TOP_K) -> None:
        self.model = model
        self.prompts = prompts
        self.similar = similar

    async def decide(self, experience: Experience, library: ExpLib) -> UpdateDecision:
        """The decision on a new experience (paper, 3.2); changes nothing. Raises ParseError."""
        question = self.question(experience, library)
        return question if isinstance(question, UpdateDecision) else await self.answer(question)

    def question(self, experience: Experience, library: ExpLib) -> UpdateDecision | Question:
        """What to ask about an experience, or the decision where an identical entry exists or none is similar."""
        if (twin := library.identical(experience)) is not None:
            return UpdateDecision("discard", twin, reason="an entry with the same content exists")
        hits = library.search(search_text(experience), self.similar, text_only=True)
        similar = tuple(library.get(hit.experience_id) for hit in hits)
        if not similar:
            return UpdateDecision("insert", reason="nothing similar exists")
        prompt = self.prompts.render("updater", experience=experience, similar=[clipped(e) for e in similar])
        return Question(experience, similar, prompt)

    async def answer(self, question: Question) -> UpdateDecision:
        """The model's decision; a merge that would be too large brings its consolidation along. Raises ParseError."""
        entries = {entry.id: entry for entry in question.similar}
        experience = question.experience

        def parse(text: str) -> UpdateDecision:
            return parse_decision(text, set(entries), len(experience.rules))

        with span("updater", "CHAIN", input=experience.method) as recorded:
            decision = await ask(self.model, [user(question.prompt)], parse, self.prompts)
            if decision.action == "merge" and decision.target:
                decision = await self._within_caps(entries[decision.target], experience, decision)
            recorded.set(output=f"{decision.action} {decision.target or ''}: {decision.reason}")
        return decision

    async def _within_caps(self, target: Experience, new: Experience, decision: UpdateDecision) -> UpdateDecision:
        merged = merge(target, new, decision)
        problem = over_caps(merged)
        if problem is None:
            return decision
        entry, shown = shortened(merged), {"max_rules": MAX_RULES, "max_characters": MAX_CHARACTERS}
        left_out = len(merged.rules) - len(entry.rules)
        prompt = self.prompts.render("updater_consolidate", entry=entry, problem=problem, left_out=left_out, **shown)

        def parse(text: str) -> UpdateDecision:
            told = replace(decision, consolidated=parse_experience(text, merged.zone))
            if still := over_caps(merge(target, new, told)):
                raise ParseError(f"the entry is still too large: {still}")
            return told

        return await ask(self.model, [user(prompt)], parse, self.prompts)


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


def shortened(experience: Experience) -> Experience:
    """An entry as its consolidation sees it: in full while there is room, beyond that the examples are cut first."""
    rules = experience.rules
    if len(rules) > RULES_CONSOLIDATED:
        half = RULES_CONSOLIDATED // 2  # the oldest and, where merges put them, the newest
        rules = (*rules[:half], *rules[-half:])
    method = _clip(experience.method, METHOD_CONSOLIDATED)
    level = _level([len(rule.rule) for rule in rules], TEXTS_CONSOLIDATED)
    texts = [_clip(rule.rule, level) for rule in rules]
    room = ROOM_CONSOLIDATED - len(method) - sum(map(len, texts))
    trajectory = _clip(experience.revised_trajectory, room)
    examples = _first_examples(rules, room - len(trajectory))
    return replace(
        experience,
        method=method,
        rules=tuple(Rule(text, tuple(kept)) for text, kept in zip(texts, examples, strict=True)),
        revised_trajectory=trajectory,
    )


def _level(lengths: list[int], room: int) -> int:
    """The length to cut texts to, so that together they fit: short ones stay whole, long ones share what is left."""
    for left, length in zip(range(len(lengths), 0, -1), sorted(lengths), strict=True):
        if left * length > room:
            return room // left
        room -= length
    return max(lengths, default=0)


def _first_examples(rules: Sequence[Rule], room: int) -> list[list[str]]:
    """The first example of every rule, then the second of every rule, and so on while there is room."""
    kept: list[list[str]] = [[] for _ in rules]
    for turn in zip_longest(*(rule.examples for rule in rules)):
        for examples, example in zip(kept, turn, strict=True):
            if example is None:
                continue
            shown = _clip(example, EXAMPLE_CONSOLIDATED)
            room -= len(shown) + len("   - \n")
            if room < 0:
                return kept
            examples.append(shown)
    return kept


def _clip(text: str, size: int = CHARACTERS_SHOWN) -> str:
    return text if len(text) <= size else text[:size] + " [...]"


class _Reply(BaseModel):
    action: Literal["insert", "merge", "discard"]
    target: str | None = None
    novel_rules: list[int] = Field(default_factory=list)
    trajectory: Literal["existing", "new"] = "existing"
    reason: str = ""
    contradicts: list[str] = Field(default_factory=list)

    @field_validator("action", "trajectory", mode="before")
    @classmethod
    def _may_be_written_large(cls, value: Any) -> Any:
        return value.lower().strip() if isinstance(value, str) else value

    @field_validator("contradicts", mode="before")
    @classmethod
    def _one_id_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


def parse_decision(text: str, ids: set[str], rules: int) -> UpdateDecision:
    """The decision in an updater's reply; rule numbers count from 1 in prompts, from 0 in a decision.

    Raises ParseError when it names an entry it was not shown or a rule that does not exist, or blends what contradicts.
    """
    reply = parse_json_as(_Reply, text)
    shown = ", ".join(sorted(ids))
    if strangers := sorted(set(reply.contradicts) - ids):
        raise ParseError(f"contradicts holds ids of entries shown ({shown}), not {strangers}")
    if reply.action == "insert":
        return UpdateDecision("insert", reason=reply.reason, contradicts=tuple(dict.fromkeys(reply.contradicts)))
    if reply.contradicts:
        raise ParseError(f"what contradicts an entry is inserted beside it; '{reply.action}' needs \"contradicts\": []")
    if reply.target not in ids:
        raise ParseError(f"'{reply.action}' needs as target the id of an entry shown: {shown}")
    if reply.action == "discard":
        return UpdateDecision("discard", reply.target, reason=reply.reason)
    if wrong := [n for n in reply.novel_rules if not 1 <= n <= rules]:
        raise ParseError(f"novel_rules are numbers of the new experience's rules, 1 to {rules}, not {wrong}")
    novel = tuple(sorted({n - 1 for n in reply.novel_rules}))
    return UpdateDecision("merge", reply.target, novel, reply.trajectory, reply.reason)
