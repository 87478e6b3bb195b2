"""Two entries of a library made one, and how large an entry may grow."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from flex.library.entry import characters
from flex.types import Experience, Rule, UpdateDecision, Zone

MAX_RULES = 12
"""Rules an entry keeps: as many as a reader takes in at once, and as many as the updater is shown of it."""
MAX_CHARACTERS = 16_000
"""All text of an entry, about 4,000 tokens: five of them, what a retrieval returns, stay below 25,000."""

_ENDS = ' \t\n\r.,;:?…"“”'
_BULLETS = ("-", "*", "•")
_SMILES_LETTERS = frozenset("BCFHINOPS")


def merge(target: Experience, new: Experience, decision: UpdateDecision) -> Experience:
    """The target with the new one's novel rules and the more informative trajectory of the two (paper, 3.2).

    A rule that exists already (`normal_rule`) gains the examples it lacks. Where the decision brings a consolidation,
    method, rules and trajectory are its. The target keeps its id; its zone is that of the trajectory it has afterwards,
    so that what was solved at last is no warning any more. Its provenance stays, `merged` holds that of all it took in.
    """
    trajectory_of = new if decision.trajectory == "new" else target
    zone = trajectory_of.zone
    novel = [rules_in_zone(new, zone)[number] for number in sorted(set(decision.novel_rules))]
    content = decision.consolidated or replace(
        target,
        rules=distinct([*rules_in_zone(target, zone), *novel]),
        revised_trajectory=trajectory_of.revised_trajectory,
    )
    contradicts = dict.fromkeys((*target.contradicts, *new.contradicts))
    return replace(
        target,
        method=content.method,
        rules=content.rules,
        revised_trajectory=content.revised_trajectory,
        zone=zone,
        problem_category=target.problem_category or new.problem_category,
        priority=max(target.priority, new.priority),
        provenance=merged_provenance(target.provenance, new.provenance, own=target.provenance),
        contradicts=tuple(other for other in contradicts if other != target.id),
        extra=_merged_extra(target.extra, new.extra),
    )


def merged_provenance(
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    own: Mapping[str, Any],
    same: Collection[str] = ("merged",),
) -> dict[str, Any]:
    """Where an entry made of two came from: `own`, which is one of the two, with the tasks of both.

    Its `merged` lists all that was ever merged in, the other one too if they differ in more than the keys `same`.
    """
    other = second if own is first else first
    differs = _without(other, same) != _without(own, same)
    merged_in = [_without(other, ("merged",))] if differs else []
    lists = {
        "tasks": [*_list(first, "tasks"), *_list(second, "tasks")],
        "merged": [*_list(first, "merged"), *filter(None, merged_in), *_list(second, "merged")],
    }
    return {**own, **{key: _each_once(values) for key, values in lists.items() if values}}


def over_caps(experience: Experience) -> str | None:
    """What is too large about an entry, in words; None when it is within the caps."""
    if len(experience.rules) > MAX_RULES:
        return f"{len(experience.rules)} rules, at most {MAX_RULES} are kept"
    if (size := characters(experience)) > MAX_CHARACTERS:
        return f"{size:,} characters, at most {MAX_CHARACTERS:,} are kept"
    return None


def rules_in_zone(experience: Experience, zone: Zone) -> tuple[Rule, ...]:
    """Its rules as they stand in an entry of another zone: what is right needs a mark only beside what went wrong."""
    if zone == "golden":
        return tuple(replace(rule, kind=None) if rule.kind == "instead" else rule for rule in experience.rules)
    if experience.zone == "golden" and zone == "warning":
        return tuple(replace(rule, kind=rule.kind or "instead") for rule in experience.rules)
    return experience.rules


def distinct(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules in order, each once, with all the examples that were given to it, each once too.

    What is to be avoided is never one with what is not, whatever the words.
    """
    first: dict[tuple[str, bool], Rule] = {}
    examples: dict[tuple[str, bool], dict[str, str]] = {}
    for rule in rules:
        form = normal_rule(rule.rule), rule.kind == "avoid"
        first.setdefault(form, rule)
        for example in rule.examples:
            examples.setdefault(form, {}).setdefault(" ".join(example.split()), example)
    return tuple(replace(rule, examples=tuple(examples.get(form, {}).values())) for form, rule in first.items())


def normal_rule(text: str) -> str:
    """What two spellings of one rule have in common: no case of words, white space or punctuation at the ends."""
    words = text.strip(_ENDS).split()
    if words and words[0] in _BULLETS:
        del words[0]
    if words and words[-1].endswith("!") and words[-1].rstrip("!")[-3:].isalpha() and len(words[-1]) > 3:
        words[-1] = words[-1].rstrip("!")
    return " ".join(map(_folded, words)) or text.strip()


def _folded(word: str) -> str:
    """The word in lower case, unless its case says something: `N` is not `n`, `CCO` no word, `[c:1]` not `[C:1]`."""
    letters = word.strip(_ENDS + "()!")
    if len(letters) < 2 or not letters.isalpha() or not (letters.istitle() or letters.isupper()):
        return word
    return word if letters.isupper() and _SMILES_LETTERS.issuperset(letters) else word.lower()


def _merged_extra(target: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of both; where both have an object, as for what else their rules say, its keys too."""
    extra = {**new, **target}
    for key in target.keys() & new.keys():
        if isinstance(target[key], Mapping) and isinstance(new[key], Mapping):
            extra[key] = {**new[key], **target[key]}
    return extra


def _without(provenance: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in provenance.items() if key not in keys}


def _list(provenance: Mapping[str, Any], key: str) -> list[Any]:
    value = provenance.get(key) or []
    return list(value) if isinstance(value, list | tuple) else [value]


def _each_once(values: Iterable[Any]) -> list[Any]:
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(json.dumps(value, sort_keys=True, default=str), value)
    return list(seen.values())
