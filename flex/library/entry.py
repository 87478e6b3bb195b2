"""One entry of a library file, parsed at the door and dumped with every key that other tools expect.

Published files vary: a method may be an object, a rule or an example a bare string, a list null.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, get_args

from flex.errors import LibraryError
from flex.types import ZONES, Experience, Rule, RuleKind, Zone

PRIORITIES = {"low": 1, "medium": 3, "moderate": 3, "normal": 3, "high": 5, "very high": 5, "critical": 5}
_RULE_KEYS = "_rule_keys"
"""Where an entry's `extra` keeps unknown keys of its rules: rule text -> keys."""
_KNOWN = {"id", "method", "rules", "revised_trajectory", "memory_type", "problem_category", "priority"}
_KNOWN |= {"created_at", "usage_count", "last_used", "provenance", "contradicts", _RULE_KEYS}
MAX_CHARACTERS = 5_000_000
"""Of an entry; what is larger is no experience, and would cost every search seconds."""


def parse_entry(entry: object, zone: Zone) -> Experience:
    """One entry as an experience of the zone whose list it is in. Raises LibraryError saying what is wrong with it."""
    try:
        return read_entry(entry, zone)
    except LibraryError as problem:
        raise LibraryError(f"not an experience: {problem}") from problem


def restored_entry(entry: Mapping[str, Any]) -> Experience:
    """The experience that `dump_entry` made this of. Raises LibraryError."""
    return parse_entry(entry, entry["memory_type"])


def dump_entry(experience: Experience) -> dict[str, Any]:
    """The entry as a file holds it, with every key that other tools expect."""
    rule_keys = experience.extra.get(_RULE_KEYS, {})
    entry: dict[str, Any] = {
        "id": experience.id,
        "method": experience.method,
        "rules": [
            {"rule": r.rule, "examples": list(r.examples)}
            | ({"kind": r.kind} if r.kind else {})
            | rule_keys.get(r.rule, {})
            for r in experience.rules
        ],
        "revised_trajectory": experience.revised_trajectory,
        "memory_type": experience.zone,
        "problem_category": experience.problem_category,
        "priority": experience.priority,
        "created_at": experience.created_at,
        "usage_count": experience.usage_count,
        "last_used": experience.last_used,
    }
    if experience.provenance:
        entry["provenance"] = experience.provenance
    if experience.contradicts:
        entry["contradicts"] = list(experience.contradicts)
    return entry | {key: value for key, value in experience.extra.items() if key not in _KNOWN}


def content_hash(experience: Experience) -> str:
    """A hash of what the experience says: method, rules with their examples, trajectory."""
    rules = [[rule.rule, *rule.examples] for rule in experience.rules]
    content = json.dumps([experience.method, rules, experience.revised_trajectory])
    return sha256(content.encode()).hexdigest()


def entry_hash(experience: Experience) -> str:
    """A hash of all that a file holds of an entry: what the history of the library knows a revision by."""
    return sha256(json.dumps(dump_entry(experience), sort_keys=True).encode()).hexdigest()[:16]


def derived_id(experience: Experience) -> str:
    """An id that depends on nothing but what the experience says and the tasks it came from: `exp-3fa9c1d2e0`."""
    source = [content_hash(experience), experience.problem_category, experience.provenance.get("tasks", [])]
    return f"exp-{sha256(json.dumps(source).encode()).hexdigest()[:10]}"


def free_id(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """`wanted`, or the first of `wanted-2`, `wanted-3`, ... that is not taken."""
    number, free = 1, wanted
    while is_taken(free):
        number += 1
        free = f"{wanted}-{number}"
    return free


def read_entry(entry: object, zone: Zone) -> Experience:
    """As `parse_entry`, for a caller that says which entry it is."""
    if not isinstance(entry, dict):
        raise LibraryError(f"an entry has to be an object, not {_kind(entry)}")
    if zone not in ZONES:
        raise LibraryError(f"unknown zone {zone!r}; choose from {', '.join(ZONES)}")
    if entry.get("method") is None and entry.get("rules") is None:
        raise LibraryError("it has neither a method nor rules")
    extra = {key: value for key, value in entry.items() if key not in _KNOWN}
    provenance = entry.get("provenance") or {}
    experience = Experience(
        method=_prose(entry.get("method"), "the method"),
        rules=_rules(entry.get("rules"), extra),
        revised_trajectory=_prose(entry.get("revised_trajectory"), "the trajectory"),
        zone=zone,
        problem_category=as_text(entry.get("problem_category")),
        priority=_whole(entry.get("priority"), "priority", missing=1),
        id=as_text(entry.get("id")),
        created_at=as_text(entry.get("created_at")),
        usage_count=_whole(entry.get("usage_count"), "usage_count", missing=0),
        last_used=None if entry.get("last_used") is None else as_text(entry["last_used"]),
        provenance=provenance if isinstance(provenance, dict) else {"source": provenance},
        contradicts=_examples(entry.get("contradicts")),
        extra=extra,
    )
    if (size := characters(experience)) > MAX_CHARACTERS:
        raise LibraryError(f"it has {size:,} characters; an entry may have {MAX_CHARACTERS:,} at most")
    return experience


def characters(experience: Experience) -> int:
    """The length of everything an entry says."""
    return sum(map(len, texts_of(experience)))


def texts_of(experience: Experience) -> tuple[str, ...]:
    """Everything an entry says, text by text."""
    rules = [text for rule in experience.rules for text in (rule.rule, *rule.examples)]
    return (experience.problem_category, experience.method, *rules, experience.revised_trajectory)


def _rules(value: object, extra: dict[str, Any]) -> tuple[Rule, ...]:
    """Rules in any of the shapes they are published in; what else a rule says goes to `extra`."""
    if value is None:
        return ()
    rules = []
    for number, rule in enumerate(value if isinstance(value, list) else [value], start=1):
        if isinstance(rule, str):
            rule = {"rule": rule}
        if not isinstance(rule, dict) or not isinstance(rule.get("rule"), str | dict | list):
            raise LibraryError(
                f'rule {number} has to be a text or {{"rule": ..., "examples": [...]}}, not {_kind(rule)}'
            )
        kind = rule.get("kind") if rule.get("kind") in get_args(RuleKind) else None
        rules.append(Rule(as_text(rule["rule"]), _examples(rule.get("examples")), kind))
        known = ("rule", "examples", "kind") if kind else ("rule", "examples")
        if others := {key: item for key, item in rule.items() if key not in known}:
            extra[_RULE_KEYS] = {**extra.get(_RULE_KEYS, {}), rules[-1].rule: others}
    return tuple(rules)


def _examples(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(as_text(example) for example in (value if isinstance(value, list) else [value]) if example is not None)


def _prose(value: object, name: str) -> str:
    if value is not None and not isinstance(value, str | dict | list):
        raise LibraryError(f"{name} has to be text, not {_kind(value)}")
    return as_text(value)


def as_text(value: object) -> str:
    """Any JSON value as text a person can read; the same value is the same text everywhere."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(f"{str(key).replace('_', ' ').capitalize()}: {as_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "\n".join(as_text(item) for item in value)
    return "" if value is None else json.dumps(value)


def _whole(value: object, name: str, missing: int) -> int:
    if value is None:
        return missing
    if isinstance(value, str) and value.strip().lower() in PRIORITIES:
        return PRIORITIES[value.strip().lower()]
    try:
        return round(float(value)) if isinstance(value, str | float) else int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError) as error:
        raise LibraryError(f"{name} has to be a number, not {value!r}") from error


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), repr(value))
