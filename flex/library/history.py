"""The history of a library: its changes as a file holds them, and an entry through time (versions, blame, differences).

In a file a change is one object; empty fields are left out:

{"number": 7, "action": "merge", "entry": "exp-3fa9c1d2e0", "time": ..., "reason": ..., "by": {"run": ..., "model":
 ..., "prompt": ...}, "source": {"tasks": ["12"], "rollout": 0}, "before": {the entry as it was}, "before_hash": ...,
 "after_hash": ...}
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from typing import Any

from flex.errors import LibraryError
from flex.library.by_hand import is_lost
from flex.library.entry import restored_entry
from flex.types import ZONES, Change, Experience

_KINDS: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "action": (str,),
    "entry": (str,),
    "time": (str,),
    "reason": (str,),
    "by": (dict,),
    "source": (dict,),
    "before": (dict, type(None)),
    "place": (int, type(None)),
    "before_hash": (str, type(None)),
    "after_hash": (str, type(None)),
}
LOST = Experience("(what it said here was not kept: the file was changed by hand)")
"""Stands for a revision that nobody knows any more."""
_CONTEXT = 2
"""Lines around a difference."""
_SENTENCE = re.compile(r"(?<=[.!?] )(?=\S)|\n")


@dataclass(frozen=True, slots=True)
class Version:
    """One revision of an entry, from 1; `change` is None where it is older than the history."""

    number: int
    change: Change | None
    experience: Experience | None
    """None: the entry was taken out."""


@dataclass(frozen=True, slots=True)
class Blamed:
    """One thing that an entry says now, and the version since which it says it in these words."""

    part: str
    """"method", "rule 2", "rule 2, example 1", "trajectory"; numbers from 1."""
    text: str
    version: Version


def dump_change(change: Change) -> dict[str, Any]:
    """The change as an object of a file; empty fields are left out."""
    values = ((field.name, getattr(change, field.name)) for field in fields(Change))
    return {name: value for name, value in values if value is not None and value != "" and value != {}}


def parse_change(value: object) -> Change:
    """The change in an object of a file. Raises LibraryError naming the field that is wrong."""
    if not isinstance(value, Mapping):
        raise LibraryError("a change has to be an object")
    known = {key: item for key, item in value.items() if key in _KINDS}
    for key in ("number", "action", "entry", *known):
        if not isinstance(known.get(key), _KINDS[key]) or isinstance(known[key], bool):
            raise LibraryError(f"a change's '{key}' cannot be {known.get(key)!r}")
    if known.get("before") and known["before"].get("memory_type") not in ZONES:
        raise LibraryError(f"what a change replaced is in no zone: {known['before'].get('memory_type')!r}")
    return Change(**known)


def parse_history(values: object) -> tuple[Change, ...]:
    """The changes of a file, numbered from 1 without gaps. Raises LibraryError naming the one that is wrong."""
    if values is None:
        return ()
    if not isinstance(values, list):
        raise LibraryError('"history" has to be a list of changes')
    changes = []
    for number, value in enumerate(values, start=1):
        try:
            changes.append(parse_change(value))
        except LibraryError as error:
            raise LibraryError(f"history, change {number}: {error}") from error
        if changes[-1].number != number:
            raise LibraryError(f"history, change {number}: it says that it is number {changes[-1].number}")
    return tuple(changes)


def changed_content(change: Change) -> bool:
    """Whether the entry says something else afterwards, or is there or gone: whether it has a new revision."""
    return change.before_hash != change.after_hash


def count_revision(revisions: dict[str, int], change: Change) -> None:
    """Count the revision that a change makes; an entry that was there before the history began had its first."""
    if changed_content(change):
        before = 0 if change.before_hash is None else 1
        revisions[change.entry] = revisions.get(change.entry, before) + 1


def replayed(
    changes: Sequence[Change], present: Callable[[str], Experience | None]
) -> tuple[list[tuple[Change, Experience | None]], dict[str, Experience | None]]:
    """Every change with its entry as it was afterwards, in order; and all these entries before the first of them.

    The changes are the last ones of a library; `present` gives its entries as they are now.
    """
    states: dict[str, Experience | None] = {}
    steps = []
    for change in reversed(changes):
        if change.entry not in states:
            states[change.entry] = present(change.entry)
        steps.append((change, states[change.entry]))
        if changed_content(change):
            before = change.before
            states[change.entry] = restored_entry(before) if before else LOST if is_lost(change) else None
    return steps[::-1], states


def versions(changes: Iterable[Change], current: Experience | None) -> list[Version]:
    """All revisions of an entry, oldest first, from its changes and what it is now (None: gone)."""
    made = [change for change in changes if changed_content(change)]
    steps, before = replayed(made, lambda _: current)
    first = next(iter(before.values()), current)
    entries = [(None, first)] * (first is not None) + steps
    return [Version(number, change, experience) for number, (change, experience) in enumerate(entries, start=1)]


def blame(history: Sequence[Version]) -> list[Blamed]:
    """Which version brought the method, each rule, each example and the trajectory of the entry as it is now.

    A rollback brings nothing: what it restores is still that of the version it restores. A rule is its text; one whose
    words changed is a new one. An entry that is gone says nothing. What stood before a lost version still stands after
    it; the rest is that of the change by hand, which may have found it there.
    """
    since: list[dict[tuple[str, ...], Version]] = [{}]
    for version in history:
        restored = _restored(version, history)
        known = since[restored.number if restored else -1]
        if version.experience == LOST:
            since.append(known)
            continue
        since.append({key: known.get(key, version) for _, key in _parts(version.experience)})
    now = _parts(history[-1].experience) if history else []
    return [Blamed(part, key[-1], since[-1][key]) for part, key in now]


def difference(a: Experience | None, b: Experience | None, name_a: str = "before", name_b: str = "after") -> str:
    """A unified diff of what two entries say, a sentence a line; "" when they say the same. None has no lines.

    Rules are compared by what they say, not by their numbers, so one that goes does not change all behind it.
    """
    old, new = list(_lines(a)), list(_lines(b))
    matcher = SequenceMatcher(None, [key for key, _ in old], [key for key, _ in new], autojunk=False)
    lines: list[str] = []
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        (_, i, _, j, _), (_, _, i_end, _, j_end) = group[0], group[-1]
        lines.append(f"@@ -{i + 1},{i_end - i} +{j + 1},{j_end - j} @@")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [f" {line}" for _, line in new[j1:j2]]
            else:
                lines += [f"-{line}" for _, line in old[i1:i2]] + [f"+{line}" for _, line in new[j1:j2]]
    return "\n".join([f"--- {name_a}", f"+++ {name_b}", *lines]) if lines else ""


def _restored(version: Version, history: Sequence[Version]) -> Version | None:
    """The first version that said what a rollback brought back."""
    if version.change is None or version.change.action != "rollback":
        return None
    return next((old for old in history[: version.number - 1] if old.experience == version.experience), None)


def _parts(experience: Experience | None) -> list[tuple[str, tuple[str, ...]]]:
    """Names of the parts of an entry, each with what makes it the same part elsewhere: the last item is its text."""
    if experience is None:
        return []
    parts: list[tuple[str, tuple[str, ...]]] = [("method", ("method", experience.method))]
    for number, rule in enumerate(experience.rules, start=1):
        parts.append((f"rule {number}", ("rule", rule.rule)))
        parts += [
            (f"rule {number}, example {place}", ("example", rule.rule, example))
            for place, example in enumerate(rule.examples, start=1)
        ]
    return [*parts, ("trajectory", ("trajectory", experience.revised_trajectory))]


def _lines(experience: Experience | None) -> Iterator[tuple[tuple[str, ...], str]]:
    """The entry line by line: what a line is compared by, and how it is shown."""
    if experience is None:
        return
    facts = {
        "zone": experience.zone,
        "priority": str(experience.priority),
        "category": experience.problem_category,
        "contradicts": ", ".join(experience.contradicts),
    }
    for name, value in facts.items():
        yield (name, value), f"{name}: {value}"
    yield from _prose("method", ("method",), experience.method)
    for number, rule in enumerate(experience.rules, start=1):
        yield from _prose(f"rule {number}", ("rule",), rule.labelled)
        for example in rule.examples:
            yield from _prose("  example", ("example",), example)
    yield from _prose("trajectory", ("trajectory",), experience.revised_trajectory)


def _prose(label: str, key: tuple[str, ...], text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    for place, sentence in enumerate(_SENTENCE.split(text)):
        yield (*key, str(min(place, 1)), sentence), f"{label}: {sentence}" if place == 0 else f"  {sentence}"
