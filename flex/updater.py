"""The updater mu: what to do with a new experience, decided against the similar ones only (paper, 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from flex.errors import ParseError, SettingsError
from flex.explib import ExpLib
from flex.library.entry import texts_of
from flex.library.merging import MAX_CHARACTERS, MAX_RULES, merge, over_caps
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel
from flex.replies import ExperienceReply, LessonReply, ask, parse_experience, parse_json_as, user
from flex.telemetry import span
from flex.types import TOP_K, Experience, Model, UpdateDecision

ROOM_SIMILAR = 4_500
"""Characters of a similar entry in the updater's prompt, about 1,500 tokens; most of ours have fewer."""
ROOM_CONSOLIDATED = 34_000
"""Characters of an entry in the prompt of its consolidation, which stays below 40,000; two within the caps fit."""
RULES_CONSOLIDATED = 160
"""Rules of an entry in that prompt; the largest published entry has 144."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the updater asks a model about an experience; equal questions may share an answer."""

    experience: Experience
    similar: tuple[Experience, ...]
    """In full, best match first; the prompt shows them shortened."""
    prompt: str


class Updater:
    """Decides insert, merge or discard; the prompt holds `TOP_K` similar entries, however large the library is.

    `Updater(model_name="gpt-5")` talks to the endpoint of the environment; give `model` to choose another.
    """

    def __init__(
        self,
        model: Model | None = None,
        prompts: Prompts | None = None,
        *,
        model_name: str | None = None,
    ) -> None:
        if model is None and not model_name:
            raise SettingsError("an Updater needs a model: Updater(model_name=...) or Updater(model)")
        self.model: Model = model or ChatModel(str(model_name), role="updater")
        self.prompts = prompts or Prompts()

    async def decide(self, experience: Experience, library: ExpLib) -> UpdateDecision:
        """The decision on a new experience (paper, 3.2); changes nothing. Raises ParseError."""
        question = self.question(experience, library)
        return question if isinstance(question, UpdateDecision) else await self.answer(question)

    def question(self, experience: Experience, library: ExpLib) -> UpdateDecision | Question:
        """What to ask about an experience, or the decision where an identical entry exists or none is similar."""
        if (existing := library.identical(experience)) is not None:
            return UpdateDecision("discard", existing, reason="an entry with the same content exists")
        hits = library.search(search_text(experience), TOP_K, text_only=True)
        similar = tuple(library.get(hit.experience_id) for hit in hits)
        if not similar:
            return UpdateDecision("insert", reason="nothing similar exists")
        entries = [shortened(entry, ROOM_SIMILAR, MAX_RULES, max_examples=1) for entry in similar]
        prompt = self.prompts.render("updater", experience=experience, similar=entries)
        return Question(experience, similar, prompt)

    async def answer(self, question: Question) -> UpdateDecision:
        """The model's decision; a merge that would be too large brings its consolidation along. Raises ParseError."""
        entries = {entry.id: entry for entry in question.similar}
        experience = question.experience

        def parse(text: str) -> UpdateDecision:
            decision = parse_decision(text, set(entries), len(experience.rules))
            self.prompts.refuse_copies("updater", decision.reason)
            return decision

        with span("updater", "CHAIN", input=experience.method) as recorded:
            decision = await ask(self.model, [user(question.prompt)], parse, self.prompts, contract=_Reply)
            if decision.action == "merge" and decision.target:
                decision = await self._within_caps(entries[decision.target], experience, decision)
            recorded.set(output=f"{decision.action} {decision.target or ''}: {decision.reason}")
        return decision

    async def _within_caps(self, target: Experience, new: Experience, decision: UpdateDecision) -> UpdateDecision:
        merged = merge(target, new, decision)
        if (problem := over_caps(merged)) is None:
            return decision
        entry = shortened(merged, ROOM_CONSOLIDATED, RULES_CONSOLIDATED)
        prompt = self.prompts.render(
            "updater_consolidate",
            entry=entry,
            problem=problem,
            left_out=len(merged.rules) - len(entry.rules),
            max_rules=MAX_RULES,
            max_characters=MAX_CHARACTERS,
        )

        contract = LessonReply if any(rule.kind for rule in merged.rules) else ExperienceReply

        def parse(text: str) -> UpdateDecision:
            consolidated = parse_experience(text, merged.zone, contract)
            self.prompts.refuse_copies("updater_consolidate", *texts_of(consolidated))
            consolidating = replace(decision, consolidated=consolidated)
            if still := over_caps(merge(target, new, consolidating)):
                raise ParseError(f"the entry is still too large: {still}")
            return consolidating

        return await ask(self.model, [user(prompt)], parse, self.prompts, contract=contract)


def search_text(experience: Experience) -> str:
    """What the similar entries are searched by: the general levels, not the concrete case."""
    return "\n".join([experience.problem_category, experience.method, *(rule.rule for rule in experience.rules)])


def shortened(experience: Experience, room: int, max_rules: int, max_examples: int | None = None) -> Experience:
    """An entry of about `room` characters, in full if that is enough; `max_examples` is the most for one rule.

    Of too many rules the first and the last stay: the oldest and, where merges append them, the newest. Method,
    trajectory and rules are cut to one common length, but leave a sixteenth of the room to the examples.
    """
    rules = experience.rules
    if len(rules) > max_rules:
        rules = (*rules[: max_rules // 2], *rules[-(max_rules // 2) :])
    texts = [experience.method, experience.revised_trajectory, *(rule.rule for rule in rules)]
    length = _common_length(list(map(len, texts)), room * 15 // 16)
    method, trajectory, *rule_texts = (text if len(text) <= length else text[:length] + " [...]" for text in texts)
    room -= len(method) + len(trajectory) + sum(map(len, rule_texts))
    examples = _first_examples([rule.examples[:max_examples] for rule in rules], room)
    return replace(
        experience,
        method=method,
        rules=tuple(
            replace(rule, rule=text, examples=tuple(kept))
            for rule, text, kept in zip(rules, rule_texts, examples, strict=True)
        ),
        revised_trajectory=trajectory,
    )


def _common_length(lengths: list[int], room: int) -> int:
    """The length to cut texts to, so that together they fit: short ones stay whole, long ones share what is left."""
    for left, length in zip(range(len(lengths), 0, -1), sorted(lengths), strict=True):
        if left * length > room:
            return room // left
        room -= length
    return max(lengths)


def _first_examples(examples: Sequence[Sequence[str]], room: int) -> list[list[str]]:
    """The first example of every rule, then the second of every rule, and so on while there is room."""
    kept: list[list[str]] = [[] for _ in examples]
    for nth in zip_longest(*examples):
        for of_rule, example in zip(kept, nth, strict=True):
            if example is None:
                continue
            room -= len(example) + len("   - \n")
            if room < 0:
                return kept
            of_rule.append(example)
    return kept


class _Reply(BaseModel):
    action: Literal["insert", "merge", "discard"]
    target: str | None = None
    novel_rules: list[int] = Field(default_factory=list)
    trajectory: Literal["existing", "new"] = "existing"
    reason: str = ""
    contradicts: list[str] = Field(default_factory=list)

    @field_validator("action", "trajectory", mode="before")
    @classmethod
    def _in_lower_case(cls, value: Any) -> Any:
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
    listed = ", ".join(sorted(ids))
    if strangers := sorted(set(reply.contradicts) - ids):
        raise ParseError(f"contradicts holds ids of entries shown ({listed}), not {strangers}")
    if reply.action == "insert":
        return UpdateDecision("insert", reason=reply.reason, contradicts=tuple(dict.fromkeys(reply.contradicts)))
    if reply.contradicts:
        raise ParseError(f"what contradicts an entry is inserted beside it; '{reply.action}' needs \"contradicts\": []")
    if reply.target not in ids:
        raise ParseError(f"'{reply.action}' needs as target the id of an entry shown: {listed}")
    if reply.action == "discard":
        return UpdateDecision("discard", reply.target, reason=reply.reason)
    if wrong := [n for n in reply.novel_rules if not 1 <= n <= rules]:
        raise ParseError(f"novel_rules are numbers of the new experience's rules, 1 to {rules}, not {wrong}")
    novel = tuple(sorted({n - 1 for n in reply.novel_rules}))
    return UpdateDecision("merge", reply.target, novel, reply.trajectory, reply.reason)
